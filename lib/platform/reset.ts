import type { Socket } from 'node:net'
import { TLSSocket } from 'node:tls'

/**
 * Ends a connection with a RST, where it can: TLS and unix sockets have none, nor does a socket that still connects or
 * that sends its FIN.
 */
export function reset(socket: Socket): void {
  const isTcp = !(socket instanceof TLSSocket) && socket.remoteAddress !== undefined
  if (isTcp && !sendsFin(socket)) socket.resetAndDestroy()
  else socket.destroy()
}

/**
 * Whether a FIN is being sent. Meanwhile node has no RST: `resetAndDestroy()` would emit an error, never close, and keep
 * the connection; and at its end the process would wait for it in a busy loop (seen in Node 20 to 26).
 */
export function sendsFin(socket: Socket): boolean {
  return socket.writableEnded && !socket.writableFinished && socket.writableLength === 0
}
