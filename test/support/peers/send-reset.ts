import type { Socket } from 'node:net'
import { sendsFin } from '../../../lib/platform/reset.js'

/** Ends a peer at any moment: with a RST, which in the pass over TLS is one of TCP, unless its FIN is on its way. */
export function sendReset(socket: Socket): void {
  if (sendsFin(socket)) socket.destroy()
  else socket.resetAndDestroy()
}
