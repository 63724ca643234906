/** Bare `@fastify/websocket`, and what people add to it by hand. */
import type { Socket } from 'node:net'
import fastifyWebsocket from '@fastify/websocket'
import type { FastifyInstance } from 'fastify'
import type { WebSocket } from 'ws'
import { fanOut, held } from './fan-out.js'
import type { Settings, Variant } from './variant.js'

const INTERVAL = 30_000

type Handler = (socket: WebSocket) => void

/** What a route without the plugin does at the end of a connection. */
function variant(echo: Handler, opened: Handler = () => {}): Variant {
  return async (app) => {
    await app.register(fastifyWebsocket)
    let ended = 0
    let released = 0
    const release = (): void => void released++
    app.get('/', { websocket: true }, (socket) => {
      opened(socket)
      echo(socket)
    })
    app.get('/hooks', { websocket: true }, (socket) => {
      opened(socket)
      socket.on('close', () => ended++)
    })
    app.get('/storm', { websocket: true }, (socket) => {
      opened(socket)
      const releases = [release, release]
      socket.on('close', () => {
        ended++
        for (const each of releases.toReversed()) each()
      })
    })
    const { clients } = app.websocketServer
    return {
      ended: () => ended,
      released: () => released,
      fanOut: (bytes) => fanOut(clients, bytes),
      held: () => held(clients),
    }
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
async function sweep(app: FastifyInstance, settings: Settings): ReturnType<Variant> {
  const { interval = INTERVAL } = settings
  const answered = new Answered()
  const orders = await variant(echo, (socket) => answered.add(socket))(app, settings)
  const timer = setInterval(() => {
    for (const socket of app.websocketServer.clients) answered.next(socket)
  }, interval)
  app.addHook('onClose', async () => clearInterval(timer))
  return orders
}

/** In so many parts of an interval: as ours has departures of pings. */
const PARTS = 25
const PINGS_A_TURN = 64

/**
 * The same, a part of the connections at a time, and of these no more than 64 in a turn of the loop: what
 * it takes not to stall, done by hand and with nothing else.
 */
async function spreadSweep(app: FastifyInstance, settings: Settings): ReturnType<Variant> {
  const { interval = INTERVAL } = settings
  const answered = new Answered()
  const parts = Array.from({ length: PARTS }, () => new Set<WebSocket>())
  let opened = 0
  let ticks = 0
  const orders = await variant(echo, (socket) => {
    const part = parts[opened++ % PARTS]
    part?.add(socket)
    answered.add(socket)
    socket.on('close', () => part?.delete(socket))
  })(app, settings)
  const pingSome = (waiting: WebSocket[]): void => {
    for (const socket of waiting.splice(0, PINGS_A_TURN)) answered.next(socket)
    if (waiting.length > 0) setImmediate(pingSome, waiting)
  }
  const timer = setInterval(() => pingSome([...(parts[ticks++ % PARTS] ?? [])]), interval / PARTS)
  app.addHook('onClose', async () => clearInterval(timer))
  return orders
}

/** A timer and a cleanup of its own for each connection. */
async function timers(app: FastifyInstance, settings: Settings): ReturnType<Variant> {
  const { interval = INTERVAL } = settings
  return variant(echo, (socket) => {
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
  })(app, settings)
}

export const bare: Readonly<Record<string, Variant>> = {
  bare: variant(echo),
  'bare, as text': variant(echoText),
  'bare, corked': variant(echoCorked),
  sweep,
  'sweep, spread': spreadSweep,
  timers,
}
