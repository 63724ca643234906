import { once } from 'node:events'
import { createServer as createHttpServer, type IncomingMessage } from 'node:http'
import { createServer as createHttpsServer } from 'node:https'
import { type AddressInfo, createServer, type Server, type Socket } from 'node:net'
import type { Duplex } from 'node:stream'
import type { TestContext } from 'node:test'
import { createServer as createTlsServer } from 'node:tls'
import type { FastifyBaseLogger } from 'fastify'
import type { ForeignUpgrade } from '../../../lib/cluster/cluster.js'
import type { Among } from '../../../lib/redis/here.js'
import { Pipe } from '../../../lib/redis/pipe.js'
import type { Clock } from '../../../lib/time/clock.js'
import { RawStream } from '../peers/raw-stream.js'
import { FakeClock } from '../time/fake-clock.js'
import { until } from '../time/timed.js'
import { cert, key } from './tls.js'

/** A warning of a node, without its text. */
export interface Warning {
  readonly node: string
  readonly address: string
  readonly err: { readonly message: string }
}

/** A node as its pipe knows it. */
export interface Node extends Pick<Among, 'clock' | 'isNamed' | 'log' | 'look'> {
  isConnected: boolean
  readonly others: Map<string, { readonly address: string | undefined }>
}

/** A pipe of a node that knows these others, by their addresses. */
export function pipeOf(
  others: Readonly<Record<string, string | undefined>>,
  clock: Clock = new FakeClock(),
): { pipe: Pipe; node: Node; warnings: Warning[] } {
  const warnings: Warning[] = []
  const log = { warn: (fields: Warning) => warnings.push(fields) }
  const node: Node = {
    clock,
    isConnected: false,
    isNamed: (id) => id === 'here',
    look: async () => {},
    log: log as unknown as FastifyBaseLogger,
    others: new Map(Object.entries(others).map(([id, address]) => [id, { address }])),
  }
  return { pipe: new Pipe(node as unknown as Among), node, warnings }
}

/** A server of node's whose upgrades all go into the pipe, with the token in their header `x-token`. */
export interface Front extends ReturnType<typeof pipeOf> {
  readonly port: number
  readonly clock: FakeClock
  /** What was not forwarded. */
  readonly kept: ForeignUpgrade[]
  /** What came back: the owner did not answer. */
  readonly back: ForeignUpgrade[]
  /** The streams of all upgrades. */
  readonly raws: Duplex[]
}

export async function serveFront(
  t: TestContext,
  others: Readonly<Record<string, string | undefined>>,
  server: Server = createHttpServer(),
  path?: string,
): Promise<Front> {
  const clock = new FakeClock()
  const front = { ...pipeOf(others, clock), clock, kept: [], back: [], raws: [] }
  const { kept, back, raws }: Pick<Front, 'kept' | 'back' | 'raws'> = front
  server.on('upgrade', (message: IncomingMessage, raw: Duplex, head: Buffer) => {
    const upgrade = { message, raw, head, rawHeaders: message.rawHeaders }
    const listeners = listenersOf(raw)
    raws.push(raw)
    const isForwarded = front.pipe.forward(upgrade, String(message.headers['x-token']), () => {
      assertSame(listenersOf(raw), listeners)
      back.push(upgrade)
      raw.on('error', () => {})
    })
    if (!isForwarded) kept.push(upgrade)
  })
  return { ...front, port: await listen(t, server, path) }
}

export function secureServer(): Server {
  return createHttpsServer({ key, cert })
}

/** A node made of bytes: it answers what it is told to. */
export interface Owner {
  readonly port: number
  readonly address: string
  /** The connections that came, with what came over them. */
  readonly calls: RawStream[]
  /** The next connection whose request is whole. */
  readonly called: () => Promise<RawStream>
}

export async function serveOwner(t: TestContext, secure = false): Promise<Owner> {
  const calls: RawStream[] = []
  const waiting: RawStream[] = []
  const onCall = (socket: Socket): void => {
    const call = new RawStream(socket)
    calls.push(call)
    waiting.push(call)
  }
  const server = secure
    ? createTlsServer({ key, cert, allowHalfOpen: true } as object, onCall)
    : createServer({ allowHalfOpen: true }, onCall)
  const port = await listen(t, server)
  const called = async (): Promise<RawStream> => {
    await until(() => waiting.length > 0)
    const call = waiting.shift() as RawStream
    await call.came('\r\n\r\n')
    return call
  }
  const address = secure ? `https://localhost:${port}` : `http://127.0.0.1:${port}`
  return { port, address, calls, called }
}

export const SWITCH =
  'HTTP/1.1 101 Switching protocols\r\nupgrade: websocket\r\nX-Case:  kept \r\n\r\n'

/** The request of a client, which may send more in the same packet. */
export function requestTo(port: number, token: string, headers = ''): string {
  return `GET /ws/7?a=%20b HTTP/1.1\r\nHOST: 127.0.0.1:${port}\r\nx-token: ${token}\r\n${headers}Connection: keep-alive, Upgrade\r\nupgrade: WebSocket\r\n\r\n`
}

/** A client and the owner that has answered it, with the pipe between. */
export interface Joined {
  readonly client: RawStream
  readonly call: RawStream
}

export async function join(front: Front, owner: Owner, secure = false): Promise<Joined> {
  const client = await RawStream.dial(front.port, secure)
  client.socket.write(requestTo(front.port, 'A.secret'))
  const call = await owner.called()
  call.socket.write(SWITCH)
  await client.came(SWITCH)
  return { client, call }
}

async function listen(t: TestContext, server: Server, path?: string): Promise<number> {
  const sockets = new Set<Socket>()
  server.on('connection', (socket: Socket) => {
    sockets.add(socket)
    socket.once('close', () => sockets.delete(socket))
  })
  server.listen(path === undefined ? { port: 0, host: '127.0.0.1' } : { path })
  await once(server, 'listening')
  t.after(() => {
    for (const socket of sockets) socket.destroy()
    server.close()
  })
  return (server.address() as AddressInfo).port
}

function listenersOf(raw: Duplex): string {
  return raw
    .eventNames()
    .map((name) => `${String(name)} ${raw.listenerCount(name)}`)
    .join(', ')
}

function assertSame(now: string, before: string): void {
  if (now !== before) throw new Error(`Expected the listeners ${before}, got ${now}`)
}
