import { once } from 'node:events'
import { type AddressInfo, connect, createServer, type Server, type Socket } from 'node:net'
import { reset } from '../platform/reset.js'
import type { Link, TestApp } from './api.js'
import { endWith } from './endings.js'
import { Flow } from './flow.js'
import { find, type Place } from './where.js'

/** A TCP connection over a {@link TcpLink}, in two directions. */
class Line {
  readonly sockets: readonly Socket[]
  readonly flows: readonly Flow[]

  constructor(client: Socket, server: Socket) {
    this.sockets = [client, server]
    const up: Flow = Line.#between(client, server)
    const down: Flow = Line.#between(server, client)
    this.flows = [up, down]
    server.on('drain', () => up.goOn())
    client.on('drain', () => down.goOn())
  }

  static #between(from: Socket, to: Socket): Flow {
    from.setNoDelay(true)
    return new Flow(from, {
      take: (bytes) => to.write(bytes),
      ended: () => void to.end(),
      closed: (error) => {
        // Whoever has left by a FIN has been told of by one.
        if (error !== undefined) reset(to)
      },
    })
  }
}

class TcpLink implements Link {
  readonly url: string
  readonly server: Server
  readonly #lines = new Set<Line>()
  #isCut = false
  #delay = 0
  #rate = Infinity

  constructor(server: Server, url: string, place: Place) {
    this.server = server
    this.url = url
    server.on('connection', (client: Socket) => this.#join(client, place))
  }

  cut(): void {
    this.#isCut = true
    this.#each((flow) => flow.hold())
  }

  restore(): void {
    this.#isCut = false
    this.#each((flow) => flow.release())
  }

  delay(ms: number): void {
    this.#delay = ms
    this.#each((flow) => {
      flow.delay = ms
    })
  }

  throttle(bytesPerSecond: number): void {
    this.#rate = bytesPerSecond
    this.#each((flow) => {
      flow.rate = bytesPerSecond
    })
  }

  resetAll(): void {
    for (const { sockets } of this.#lines) for (const socket of sockets) reset(socket)
  }

  close(): void {
    this.server.close()
    this.resetAll()
  }

  #join(client: Socket, place: Place): void {
    const line = new Line(client, connect({ ...place, allowHalfOpen: true }))
    this.#lines.add(line)
    for (const flow of line.flows) {
      flow.delay = this.#delay
      flow.rate = this.#rate
      if (this.#isCut) flow.hold()
    }
    for (const socket of line.sockets) {
      socket.on('close', () => {
        if (line.sockets.every(({ destroyed }) => destroyed)) this.#lines.delete(line)
      })
    }
  }

  #each(change: (flow: Flow) => void): void {
    for (const { flows } of this.#lines) for (const flow of flows) change(flow)
  }
}

/**
 * Puts a TCP proxy before a server, and connects nobody: peers, or whoever else, connect to it. An app that does not
 * listen yet is made to. It ends with the server of an app.
 * @param target an app, or a URL, whose port may be of any protocol: `redis://127.0.0.1:6379`
 * @throws (rejects with) what `listen()` of the app throws
 */
export async function link(target: TestApp | string | URL): Promise<Link> {
  const { place, isTls, server: behind } = await find(target)
  const server = createServer({ allowHalfOpen: true })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  const isApp = typeof target === 'object' && 'listen' in target
  const url = new URL(isApp ? `${isTls ? 'wss' : 'ws'}://localhost` : target)
  url.hostname = '127.0.0.1'
  url.port = String((server.address() as AddressInfo).port)
  const line = new TcpLink(server, url.href.replace(/\/$/, ''), place)
  if (behind !== undefined) endWith(behind, () => line.close())
  return line
}
