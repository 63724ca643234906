/** Bare `@fastify/websocket`, and what people add to it by hand. */
import type { Socket } from 'node:net'
import fastifyWebsocket from '@fastify/websocket'
import type { FastifyInstance } from 'fastify'
import type { WebSocket } from 'ws'
import type { Variant } from './variant.js'

const INTERVAL = 30_000

type Handler = (socket: WebSocket) => void
/** @returns what it does with each connection */
type Heartbeat = (app: FastifyInstance, interval: number) => Handler

/** What a route without the plugin does at the end of a connection. */
function variant(echo: Handler, heartbeat?: Heartbeat): Variant {
  return async (app, { interval = INTERVAL }) => {
    await app.register(fastifyWebsocket)
    const keepAlive = interval === 0 ? undefined : heartbeat?.(app, interval)
    const counts = { ended: 0, released: 0 }
    const release = (): void => void counts.released++
    app.get('/', { websocket: true }, (socket) => {
      keepAlive?.(socket)
      echo(socket)
    })
    app.get('/hooks', { websocket: true }, (socket) => {
      keepAlive?.(socket)
      socket.on('close', () => counts.ended++)
    })
    app.get('/storm', { websocket: true }, (socket) => {
      keepAlive?.(socket)
      const releases = [release, release]
      socket.on('close', () => {
        counts.ended++
        for (const each of releases.toReversed()) each()
      })
    })
    return { connections: app.websocketServer.clients, counts }
  }
}

function echo(socket: WebSocket): void {
  socket.on('message', (message, isBinary) => socket.send(message, { binary: isBinary }))
}

function echoText(socket: WebSocket): void {
  socket.on('message', (message: Buffer) => socket.send(message.toString()))
}

/** All that one read has brought is answered by one write, on the stream that ws keeps to itself, and nothing else. */
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

/** Repeats until the server ends. */
function each(app: FastifyInstance, interval: number, round: () => void): void {
  const timer = setInterval(round, interval)
  app.addHook('onClose', async () => clearInterval(timer))
}

/** What the heartbeat of ws's README knows: who has answered since the last round. */
class Answered {
  readonly #sockets = new WeakSet<WebSocket>()

  add(socket: WebSocket): void {
    this.#sockets.add(socket)
    socket.on('error', console.error)
    socket.on('pong', () => this.#sockets.add(socket))
  }

  /** Asks again, or ends who did not answer. */
  next(socket: WebSocket): void {
    if (!this.#sockets.delete(socket)) socket.terminate()
    else socket.ping()
  }
}

/** The heartbeat of ws's README: all connections in one turn of the loop. */
function sweep(app: FastifyInstance, interval: number): Handler {
  const answered = new Answered()
  each(app, interval, () => {
    for (const socket of app.websocketServer.clients) answered.next(socket)
  })
  return (socket) => answered.add(socket)
}

/** In so many parts of an interval: as ours has departures of pings. */
const PARTS = 25
const PINGS_A_TURN = 64

/**
 * The same, a part of the connections at a time, and of these no more than 64 in a turn of the loop: what
 * it takes not to stall, done by hand and with nothing else.
 */
function spreadSweep(app: FastifyInstance, interval: number): Handler {
  const answered = new Answered()
  const parts = Array.from({ length: PARTS }, () => new Set<WebSocket>())
  let opened = 0
  let ticks = 0
  const pingSome = (waiting: WebSocket[]): void => {
    for (const socket of waiting.splice(0, PINGS_A_TURN)) answered.next(socket)
    if (waiting.length > 0) setImmediate(pingSome, waiting)
  }
  each(app, interval / PARTS, () => pingSome([...(parts[ticks++ % PARTS] ?? [])]))
  return (socket) => {
    const part = parts[opened++ % PARTS]
    part?.add(socket)
    answered.add(socket)
    socket.on('close', () => part?.delete(socket))
  }
}

/** A timer and a cleanup of its own for each connection. */
function timers(_app: FastifyInstance, interval: number): Handler {
  return (socket) => {
    let isAlive = true
    const timer = setInterval(() => {
      if (!isAlive) {
        socket.terminate()
        return
      }
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
  'bare, as text': variant(echoText),
  'bare, corked': variant(echoCorked),
  sweep: variant(echo, sweep),
  'sweep, spread': variant(echo, spreadSweep),
  timers: variant(echo, timers),
}
