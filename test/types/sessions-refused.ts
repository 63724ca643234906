// What a route with `resume` must refuse, and what only such a route may have: each call stands on one line.
import Fastify, { type FastifyRequest } from 'fastify'
import websocketLifecycle, {
  type LifecycleSession,
  type LifecycleSocket,
  type RouteLifecycleOptions,
  type SessionRouteOptions,
  type WebsocketHandler,
  type WebsocketSessionHandler,
} from 'fastify-websocket-lifecycle'
import type { WebSocket } from 'ws'

const app = Fastify()
const nothing = (): void => {}
const resume = { key: (): string => 'anna' }
const schema = { message: { type: 'object' } }
type Hook<Socket> = (socket: Socket, request: FastifyRequest) => void
const ofSocket: Hook<LifecycleSocket> = nothing
const ofSession: Hook<LifecycleSession> = nothing
const ofWs: Hook<WebSocket> = nothing
declare const theirs: import('@fastify/websocket').WebsocketHandler
declare const ours: WebsocketHandler
declare const sessions: WebsocketSessionHandler
const method = 'GET'
const url = '/wrong'

// A session is no socket: neither for the handler
// @ts-expect-error
app.get(url, { websocket: true, resume }, ofSocket)
// @ts-expect-error
app.get(url, { websocket: true, resume }, ofWs)
// @ts-expect-error
app.get(url, { websocket: true, resume }, ours)
// @ts-expect-error
app.get(url, { websocket: true, resume }, theirs)
// @ts-expect-error
app.get(url, { websocket: true, resume, handler: ofSocket })
// @ts-expect-error
app.get(url, { websocket: true, resume, schema, handler: ours })
// @ts-expect-error
app.route({ method, url, websocket: true, resume, handler: ofWs })
// @ts-expect-error
app.route({ method, url, resume, handler: nothing, wsHandler: theirs })
// @ts-expect-error
app.get(url, { websocket: true, resume }, (session) => session.readyState)
// @ts-expect-error
app.get(url, { websocket: true, resume }, (session) => session.on('message', nothing))
// @ts-expect-error
app.get(url, { websocket: true, resume, handler: (session) => session.ping() })
// @ts-expect-error
app.route({ method, url, websocket: true, resume, handler: (session) => session.isPaused })
// @ts-expect-error
app.route({ method, url, resume, handler: nothing, wsHandler: (session) => session.bufferedAmount })
// nor for the hooks
// @ts-expect-error
app.get(url, { websocket: true, resume, onClose: ofSocket }, nothing)
// @ts-expect-error
app.get(url, { websocket: true, resume, onMessage: ofSocket }, nothing)
// @ts-expect-error
app.get(url, { websocket: true, resume, schema, onMessage: ofSocket }, nothing)
// @ts-expect-error
app.get(url, { websocket: true, resume, onInvalidMessage: ofWs, handler: nothing })
// @ts-expect-error
app.get(url, { websocket: true, resume, onResume: ofSocket }, nothing)
// @ts-expect-error
app.get(url, { websocket: true, resume, onSuspend: (session) => session.readyState }, nothing)
// @ts-expect-error
app.route({ method, url, websocket: true, resume, onShutdown: ofSocket, handler: nothing })
// @ts-expect-error
app.route({ method, url, resume, onHandlerError: ofWs, handler: nothing, wsHandler: nothing })
// @ts-expect-error
app.route({ method, url, resume, onUnexpectedClose: ours, handler: nothing, wsHandler: nothing })

// A socket is no session
// @ts-expect-error
app.get(url, { websocket: true }, ofSession)
// @ts-expect-error
app.get(url, { websocket: true }, sessions)
// @ts-expect-error
app.get(url, { websocket: true, handler: sessions })
// @ts-expect-error
app.get(url, { websocket: true, onClose: ofSession }, nothing)
// @ts-expect-error
app.get(url, { websocket: true }, (socket) => socket.suspended)
// @ts-expect-error
app.route({ method, url, websocket: true, handler: ofSession })
// @ts-expect-error
app.route({ method, url, handler: nothing, wsHandler: sessions })

// Only sessions are suspended
// @ts-expect-error
app.get(url, { websocket: true, onSuspend: nothing }, nothing)
// @ts-expect-error
app.get(url, { websocket: true, onResume: nothing, handler: nothing })
// @ts-expect-error
app.route({ method, url, websocket: true, onResume: nothing, handler: nothing })
// @ts-expect-error
app.route({ method, url, onSuspend: nothing, handler: nothing, wsHandler: nothing })
// @ts-expect-error: an HTTP route has no connection
app.get(url, { resume }, () => 'http')
// @ts-expect-error
app.route({ method, url, resume, handler: () => 'http' })

// What `resume` may be
// @ts-expect-error
app.get(url, { websocket: true, resume: true }, nothing)
// @ts-expect-error
app.get(url, { websocket: true, resume: {} }, nothing)
// @ts-expect-error
app.get(url, { websocket: true, resume: { window: 60_000 } }, nothing)
// @ts-expect-error
app.get(url, { websocket: true, resume: { key: 'anna' } }, nothing)
// @ts-expect-error
app.get(url, { websocket: true, resume: { key: () => 1 } }, nothing)
// @ts-expect-error: it has to say so: null
app.get(url, { websocket: true, resume: { key: () => undefined } }, nothing)
// @ts-expect-error
app.get(url, { websocket: true, resume: { key: async () => 'anna' }, handler: nothing })
// @ts-expect-error
app.get(url, { websocket: true, resume: { ...resume, window: '1m' } }, nothing)
// @ts-expect-error
app.route({ method, url, websocket: true, resume: { ...resume, window: false }, handler: nothing })
// @ts-expect-error
app.get(url, { websocket: true, resume: { key: () => null, ttl: 60_000 } }, nothing)
// @ts-expect-error: the other options are what they are elsewhere
app.get(url, { websocket: true, resume, closeTimeout: '3s' }, nothing)
// @ts-expect-error
app.get(url, { websocket: true, resume, onClose: 'log', handler: nothing })
// @ts-expect-error
app.route({ method, url, websocket: true, resume, drain: { spread: 1 }, handler: nothing })

// They are options of a route
// @ts-expect-error
app.register(websocketLifecycle, { resume })
// @ts-expect-error
app.register(websocketLifecycle, { onSuspend: nothing })
// @ts-expect-error
app.register(websocketLifecycle, { onResume: nothing })
// @ts-expect-error: it would never get the sessions of routes with `resume` alone
app.register(websocketLifecycle, { onClose: ofSession })
// @ts-expect-error
export const plain: RouteLifecycleOptions = { resume }
// @ts-expect-error
export const without: SessionRouteOptions = { onResume: nothing }

declare const session: LifecycleSession
// @ts-expect-error
export const asSocket: LifecycleSocket = session
// @ts-expect-error
export const asWs: WebSocket = session
// @ts-expect-error
session.suspended = true
// @ts-expect-error
session.ping()
// @ts-expect-error
session.expireAt('tomorrow')
