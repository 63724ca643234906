import { once } from 'node:events'
import type { IncomingMessage } from 'node:http'
import { connect, type Socket } from 'node:net'
import type { Duplex } from 'node:stream'

/** The header by which the balancer of this demo tells a node which one it has chosen. */
export const SENT_TO = 'x-sent-to'

/** Where connections can go. */
export interface Target {
  readonly number: number
  readonly port: number
  readonly isUp: boolean
}

/** One connection, and where it goes. */
interface Line {
  readonly visitor: string
  readonly target: Target
  readonly sockets: readonly [client: Socket, node: Socket]
}

/**
 * Spreads WebSockets over the nodes, and knows nothing of sessions. Nobody who comes back is sent to the node of the
 * time before: so one sees that sessions find their node.
 */
export class Balancer {
  readonly #targets: readonly Target[]
  readonly #lines = new Set<Line>()
  /** By visitor: the number of the last node. */
  readonly #last = new Map<string, number>()

  constructor(targets: readonly Target[]) {
    this.#targets = targets
  }

  /** Takes an upgrade of the server before it. */
  async take(request: IncomingMessage, socket: Duplex, head: Buffer): Promise<void> {
    const client = socket as Socket
    client.on('error', () => {}) // whoever has gone has gone
    const { searchParams } = new URL(request.url ?? '', 'http://balancer')
    const visitor = searchParams.get('visitor') ?? ''
    const tried = new Set<Target>()
    for (;;) {
      const target = this.#choose(visitor, tried)
      if (target === undefined) {
        client.end('HTTP/1.1 503 Service Unavailable\r\nconnection: close\r\n\r\n')
        return
      }
      tried.add(target)
      const node = connect(target.port, '127.0.0.1')
      const isThere = await once(node, 'connect').then(
        () => true,
        () => false,
      )
      if (!isThere) continue
      node.write(Buffer.concat([headOf(request, target), head]))
      this.#join({ visitor, target, sockets: [client, node] })
      return
    }
  }

  /** Cuts all connections of a visitor, as a network that fails. @returns how many */
  cut(visitor: string): number {
    const lines = [...this.#lines].filter((line) => line.visitor === visitor)
    for (const { sockets } of lines) for (const socket of sockets) socket.resetAndDestroy()
    return lines.length
  }

  close(): void {
    for (const { sockets } of this.#lines) for (const socket of sockets) socket.destroy()
  }

  #choose(visitor: string, tried: ReadonlySet<Target>): Target | undefined {
    const able = this.#targets.filter((target) => target.isUp && !tried.has(target))
    const last = this.#last.get(visitor)
    const others = able.filter(({ number }) => number !== last)
    const [first] = (others.length > 0 ? others : able).toSorted(
      (a, b) => this.#on(a) - this.#on(b),
    )
    return first
  }

  #on(target: Target): number {
    return [...this.#lines].filter((line) => line.target === target).length
  }

  #join(line: Line): void {
    const { visitor, target, sockets } = line
    const [client, node] = sockets
    this.#lines.add(line)
    this.#last.set(visitor, target.number)
    client.pipe(node).pipe(client)
    node.on('error', () => client.resetAndDestroy())
    client.on('error', () => node.resetAndDestroy())
    node.on('close', () => {
      this.#lines.delete(line)
      client.destroySoon()
    })
    client.on('close', () => node.destroySoon())
  }
}

/** The request once more, as it came, and what a proxy adds. */
function headOf({ method, url, rawHeaders, socket }: IncomingMessage, target: Target): Buffer {
  const lines = [`${method} ${url} HTTP/1.1`]
  for (let i = 0; i < rawHeaders.length; i += 2) {
    const [name = '', value = ''] = rawHeaders.slice(i, i + 2)
    if (name.toLowerCase() !== SENT_TO) lines.push(`${name}: ${value}`)
  }
  lines.push(`${SENT_TO}: ${target.number}`, `x-forwarded-for: ${socket.remoteAddress}`)
  return Buffer.from(`${lines.join('\r\n')}\r\n\r\n`, 'latin1')
}
