import type { Socket } from 'node:net'
import { TLSSocket } from 'node:tls'

/**
 * Ends a connection with a RST. TLS and unix sockets have none, nor does a socket that still connects. While a FIN
 * is being sent node cannot do it: it would emit an error, never close, and keep the connection.
 */
export function reset(socket: Socket): void {
  const isTcp = !(socket instanceof TLSSocket) && socket.remoteAddress !== undefined
  const sendsFin = socket.writableEnded && !socket.writableFinished && socket.writableLength === 0
  if (isTcp && !sendsFin) socket.resetAndDestroy()
  else socket.destroy()
}
