import { connect, type NetConnectOpts, type Socket } from 'node:net'
import { WebSocket } from 'ws'

/** A client, and the TCP connection under it: a browser lets nobody at that. */
export interface Line {
  readonly ws: WebSocket
  readonly tcp: Socket
}

export function dial(url: string): Line {
  let tcp: Socket | undefined
  const createConnection = (options: NetConnectOpts): Socket => (tcp = connect(options))
  const ws = new WebSocket(url, { createConnection: createConnection as typeof connect })
  ws.on('error', () => {}) // its 'close' follows
  if (tcp === undefined) throw new Error('Expected ws to connect at once')
  return { ws, tcp }
}
