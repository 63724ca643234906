import { once } from 'node:events'
import type { AddressInfo } from 'node:net'
import type { TestContext } from 'node:test'
import { type ServerOptions, type WebSocket, WebSocketServer } from 'ws'

/** What a bare ws server saw of one connection. */
export interface SeenByWs {
  readonly messages: Array<string | Buffer>
  /** The code of its error, if there was one. */
  error: string | undefined
  /** The code of its `'close'` event. */
  readonly closed: Promise<number>
}

/** A ws server that echoes, with nothing around it; a connection has its URL as its name. */
export class BareWs {
  readonly server: WebSocketServer
  readonly port: number
  readonly #seen = new Map<string, SeenByWs>()

  private constructor(server: WebSocketServer) {
    this.server = server
    this.port = (server.address() as AddressInfo).port
    server.on('connection', (socket, { url = '' }) => this.#take(socket, url))
  }

  static async serve(t: TestContext, options: ServerOptions): Promise<BareWs> {
    const server = new WebSocketServer({ host: '127.0.0.1', port: 0, ...options })
    t.after(() => {
      for (const client of server.clients) client.terminate()
      server.close()
    })
    await once(server, 'listening')
    return new BareWs(server)
  }

  of(url: string): SeenByWs {
    const seen = this.#seen.get(url)
    if (seen === undefined) throw new Error(`Expected a connection of ${url}, got none`)
    return seen
  }

  forget(): void {
    this.#seen.clear()
  }

  #take(socket: WebSocket, url: string): void {
    const closed = new Promise<number>((resolve) => socket.on('close', resolve))
    const seen: SeenByWs = { messages: [], error: undefined, closed }
    this.#seen.set(url, seen)
    socket.on('message', (data: Buffer, isBinary) => {
      seen.messages.push(isBinary ? data : data.toString())
      socket.send(data, { binary: isBinary })
    })
    socket.on('error', (error) => {
      seen.error = String(Reflect.get(error, 'code'))
    })
  }
}
