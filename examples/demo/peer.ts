import { connect, type NetConnectOpts, type Socket } from 'node:net'
import { WebSocket } from 'ws'

/** A client, and the TCP connection under it: a browser lets nobody at that. */
export class Peer {
  readonly ws: WebSocket
  readonly tcp: Socket
  /** Messages by {@link say} that the network has taken. */
  said = 0

  constructor(ws: WebSocket, tcp: Socket) {
    this.ws = ws
    this.tcp = tcp
  }

  get isOpen(): boolean {
    return this.ws.readyState === WebSocket.OPEN
  }

  /** Resolves when the network has taken it, or never will. */
  async say(text: string): Promise<void> {
    await new Promise<void>((resolve) => {
      this.ws.send(text, (error) => {
        if (!error) this.said++
        resolve()
      })
    })
  }

  /** Resolves when a message has come that has `text` in it, or when none comes any more. */
  async hear(text: string): Promise<void> {
    await new Promise<void>((resolve) => {
      this.ws.on('message', (data: Buffer) => {
        if (data.includes(text)) resolve()
      })
      this.ws.once('close', () => resolve())
    })
  }
}

export function dial(url: string): Peer {
  let tcp: Socket | undefined
  const createConnection = (options: NetConnectOpts): Socket => (tcp = connect(options))
  const ws = new WebSocket(url, { createConnection: createConnection as typeof connect })
  ws.on('error', () => {}) // its 'close' follows
  if (tcp === undefined) throw new Error('Expected ws to connect at once')
  return new Peer(ws, tcp)
}
