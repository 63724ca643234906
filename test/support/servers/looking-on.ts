import { once } from 'node:events'
import type { AddressInfo } from 'node:net'
import Fastify from 'fastify'
import * as ws from 'ws'

const { WebSocket } = ws
type WebSocket = ws.WebSocket

/** Exported, and unknown to its types. */
const sender = Reflect.get(ws, 'Sender') as { readonly prototype: object }

/** What a tool sees of the server's sockets: a line for each call, `send string 2` with its first argument and how many. */
export interface LookingOn {
  readonly seen: string[]
  /** Takes the tool's functions away again. */
  stop(): void
}

const METHODS = [
  'send',
  'ping',
  'pong',
  'close',
  'terminate',
  'on',
  'addListener',
  'prependListener',
  'once',
  'addEventListener',
  'emit',
] as const

type AnyMethod = (this: object, ...args: unknown[]) => unknown

/** Does what tracing agents do to the prototypes of ws: each call is noted, and handed on. */
export function lookOn(): LookingOn {
  const seen: string[] = []
  const undo = [
    ...METHODS.map((name) => wrap(WebSocket.prototype, name, seen)),
    wrap(sender.prototype, 'send', seen, 'sender '),
    wrap(sender.prototype, 'ping', seen, 'sender '),
  ]
  return {
    seen,
    stop() {
      for (const restore of undo) restore()
    },
  }
}

/** Looks at one socket alone. */
export function lookAt(socket: WebSocket, seen: string[]): void {
  for (const name of METHODS) wrap(socket, name, seen, 'own ')
}

/** As shimmer does it. @returns what takes it away again */
function wrap(target: object, name: string, seen: string[], prefix = ''): () => void {
  const own = Object.getOwnPropertyDescriptor(target, name)
  const original = Reflect.get(target, name) as AnyMethod
  const value: AnyMethod = function (...args) {
    const isServers = Reflect.get(this, '_isServer') as unknown
    // `Sender` knows its socket by a symbol alone: a server's masks nothing.
    const masks =
      prefix === 'sender ' && (args[1] === true || Reflect.get(Object(args[1]), 'mask') === true)
    if (isServers !== false && !masks) seen.push(`${prefix}${name} ${lineOf(name, args)}`.trimEnd())
    return Reflect.apply(original, this, args)
  }
  Object.defineProperty(target, name, { configurable: true, writable: true, value })
  return () => {
    if (own === undefined) Reflect.deleteProperty(target, name)
    else Object.defineProperty(target, name, own)
  }
}

function lineOf(name: string, args: unknown[]): string {
  const [first] = args
  if (name === 'send') return `${Buffer.isBuffer(first) ? 'Buffer' : typeof first} ${args.length}`
  return typeof first === 'string' || typeof first === 'number' ? String(first) : ''
}

export type Register = (app: ReturnType<typeof Fastify>) => PromiseLike<unknown>

/** One connection on which all happens that a tool could look at. */
export async function exchange(
  register: Register,
  opened: (socket: WebSocket) => void = () => {},
): Promise<void> {
  const app = Fastify()
  await register(app)
  app.get('/', { websocket: true }, (socket: WebSocket) => {
    opened(socket)
    socket.on('message', (data: Buffer, isBinary: boolean) => {
      socket.send(isBinary ? data : data.toString())
      socket.send('the second of its turn', { binary: false })
      socket.send('the third, with a word of Ünïcødé')
      socket.send(Buffer.from('bytes'), () => {})
      socket.send('x'.repeat(2_000))
    })
    socket.addListener('ping', () => {})
    socket.prependListener('pong', () => {})
    socket.once('close', () => {})
    socket.addEventListener('close', () => {})
    socket.ping()
    socket.pong('unasked')
    socket.send('welcome')
  })
  app.get('/kick', { websocket: true }, (socket: WebSocket) => socket.close(4000, 'kicked'))
  app.get('/cut', { websocket: true }, (socket: WebSocket) => {
    socket.once('close', () => socket.terminate())
    socket.terminate()
  })
  await app.listen({ host: '127.0.0.1', port: 0 })
  const { port } = app.server.address() as AddressInfo
  const client = new WebSocket(`ws://127.0.0.1:${port}/`)
  let messages = 0
  const all = new Promise<void>((resolve) => {
    client.on('message', () => {
      if (++messages === 11) resolve()
    })
  })
  await once(client, 'open')
  const pong = once(client, 'pong')
  client.ping('are you there')
  await pong
  client.send('text')
  client.send(Buffer.from('binary'))
  await all
  client.close(4001, 'done')
  await once(client, 'close')
  for (const path of ['kick', 'cut']) {
    const other = new WebSocket(`ws://127.0.0.1:${port}/${path}`)
    other.on('error', () => {})
    await once(other, 'close')
  }
  await app.close()
}

export function counted(seen: readonly string[]): Record<string, number> {
  const counts: Record<string, number> = {}
  for (const line of seen.toSorted()) counts[line] = (counts[line] ?? 0) + 1
  return counts
}
