/** Bare `@fastify/websocket`, and what people add to it by hand. */
import type { Socket } from 'node:net'
import fastifyWebsocket from '@fastify/websocket'
import type { FastifyInstance } from 'fastify'
import type { WebSocket } from 'ws'
import { compression, type Settings } from '../harness/server.js'

/** How often a connection has ended, and a release has run. */
export const counts = { ended: 0, released: 0 }
export const countEnd = (): void => void counts.ended++
export const countRelease = (): void => void counts.released++

/**
 * Adds a contestant's routes: `/` echoes, `/hooks` and `/storm` clean up after each connection.
 * @returns all connections
 */
export type Variant = (app: FastifyInstance, settings: Settings) => Promise<Audience>

type Handler = (socket: WebSocket) => void
/** Who hears what is sent to all: by a loop, unless it has a way of its own. */
export type Audience = Iterable<WebSocket> & { readonly send?: (text: string) => unknown }

/** @returns what it does with each connection */
type Heartbeat = (app: FastifyInstance, interval: number) => Handler

function variant(echo: Handler, heartbeat?: Heartbeat): Variant {
  return async (app, settings) => {
    const { interval = 30_000 } = settings
    await app.register(fastifyWebsocket, { options: { perMessageDeflate: compression(settings) } })
    const keepAlive = interval === 0 ? undefined : heartbeat?.(app, interval)
    const route = (path: string, handler: Handler): void => {
      app.get(path, { websocket: true }, (socket) => {
        keepAlive?.(socket)
        handler(socket)
      })
    }
    route('/', echo)
    route('/hooks', (socket) => socket.on('close', countEnd))
    route('/storm', (socket) => {
      const releases = [countRelease, countRelease]
      socket.on('close', () => {
        countEnd()
        for (const each of releases.toReversed()) each()
      })
    })
    return app.websocketServer.clients
  }
}

function echo(socket: WebSocket): void {
  socket.on('message', (message, isBinary) => socket.send(message, { binary: isBinary }))
}

function echoText(socket: WebSocket): void {
  socket.on('message', (message: Buffer) => socket.send(message.toString()))
}

/** One write answers all that one read has brought. The stream is one that ws keeps to itself. */
function echoCorked(socket: WebSocket): void {
  const raw = Reflect.get(socket, '_socket') as Socket
  let isCorked = false
  const uncork = (): void => {
    isCorked = false
    raw.uncork()
  }
  socket.on('message', (message, isBinary) => {
    if (!isCorked) {
      isCorked = true
      raw.cork()
      process.nextTick(uncork)
    }
    socket.send(message, { binary: isBinary })
  })
}

/** What no server can be faster than: nothing but a write of the same bytes for each. The stream is ws's own. */
function writeToAll(sockets: Iterable<WebSocket>): (text: string) => void {
  return (text) => {
    const header = text.length < 126 ? [text.length] : [126, text.length >> 8, text.length & 0xff]
    const frame = Buffer.concat([Buffer.from([0x81, ...header]), Buffer.from(text)])
    for (const socket of sockets) (Reflect.get(socket, '_socket') as Socket).write(frame)
  }
}

const floor: Variant = async (app, settings) => {
  const sockets = await variant(echo)(app, settings)
  return Object.assign([], {
    [Symbol.iterator]: () => sockets[Symbol.iterator](),
    send: writeToAll(sockets),
  })
}

function repeat(app: FastifyInstance, interval: number, round: () => void): void {
  const timer = setInterval(round, interval)
  app.addHook('onClose', async () => clearInterval(timer))
}

/** Who has answered since the last round, as in ws's README. */
const answered = new WeakSet<WebSocket>()

function add(socket: WebSocket): void {
  answered.add(socket)
  socket.on('error', console.error)
  socket.on('pong', () => answered.add(socket))
}

function askOrEnd(socket: WebSocket): void {
  if (!answered.delete(socket)) socket.terminate()
  else socket.ping()
}

/** The heartbeat of ws's README: all connections in one turn of the loop. */
function sweep(app: FastifyInstance, interval: number): Handler {
  repeat(app, interval, () => {
    for (const socket of app.websocketServer.clients) askOrEnd(socket)
  })
  return add
}

/** Parts of an interval: ours sends its pings in as many. */
const PARTS = 25
const PINGS_A_TURN = 64

/** The same, done by hand so that it does not stall: a few connections in each turn of the loop. */
function spreadSweep(app: FastifyInstance, interval: number): Handler {
  const parts = Array.from({ length: PARTS }, () => new Set<WebSocket>())
  let opened = 0
  let ticks = 0
  const pingSome = (waiting: WebSocket[]): void => {
    for (const socket of waiting.splice(0, PINGS_A_TURN)) askOrEnd(socket)
    if (waiting.length > 0) setImmediate(pingSome, waiting)
  }
  repeat(app, interval / PARTS, () => pingSome([...(parts[ticks++ % PARTS] ?? [])]))
  return (socket) => {
    const part = parts[opened++ % PARTS]
    part?.add(socket)
    add(socket)
    socket.on('close', () => part?.delete(socket))
  }
}

/** A timer and a cleanup of its own for each connection. */
function timers(_app: FastifyInstance, interval: number): Handler {
  return (socket) => {
    let isAlive = true
    const timer = setInterval(() => {
      if (!isAlive) return socket.terminate()
      isAlive = false
      socket.ping()
    }, interval)
    const cleanUp = (): void => clearInterval(timer)
    socket.on('pong', () => {
      isAlive = true
    })
    socket.on('error', cleanUp)
    socket.on('close', cleanUp)
  }
}

export const bare: Readonly<Record<string, Variant>> = {
  bare: variant(echo),
  floor,
  'bare, as text': variant(echoText),
  'bare, corked': variant(echoCorked),
  sweep: variant(echo, sweep),
  'sweep, spread': variant(echo, spreadSweep),
  timers: variant(echo, timers),
}
