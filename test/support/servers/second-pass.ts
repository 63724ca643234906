/**
 * The second pass (`npm run test:resume`): with `RESUME=1`, and this file loaded before all others, each app of
 * a test has `resume` on all its WebSocket routes, so each of its plain clients has a session. Handlers and hooks get a view of it
 * in which the test sees no difference: the members of the session, and beside them those of the socket.
 */
import { subscribe } from 'node:diagnostics_channel'
import type { FastifyInstance } from 'fastify'
import type { WebSocket } from 'ws'
import { Registry } from '../../../lib/facts/registry.js'
import type { LifecycleSession, LifecycleSocket } from '../../../lib/index.js'
import { isFragment, isOptions } from '../../../lib/outbox/send-options.js'
import { reasons } from './reasons.js'

type Socket = LifecycleSocket & WebSocket

export const isSecondPass: boolean = process.env['RESUME'] === '1'

/** Why a few tests are left out of the second pass: there a difference is meant. */
export const DIFFERS = reasons(isSecondPass, {
  identity: 'an event tells the socket, and that is not what the handler got',
  view: 'what the handler gets there is a view for tests, and no session of ours',
  tools: 'a call of a session is no call of the socket, so a tool that looks on does not see it',
})

if (isSecondPass) {
  // Fastify tells of each app that is made.
  subscribe('fastify.initialization', (message) => {
    const { fastify } = message as { fastify: FastifyInstance }
    fastify.addHook('onRoute', (route) => {
      if (route.websocket !== true && route.wsHandler === undefined) return
      Object.assign(route, { resume: { key: () => null }, ...route })
    })
  })
  const addSession: Registry['addSession'] = Reflect.get(Registry.prototype, 'addSession')
  Registry.prototype.addSession = function (opened) {
    const session = opened as typeof opened & { face: LifecycleSession; socket: Socket }
    const view = viewOf(session.face, session.socket)
    session.face = view
    this.sockets.add(view)
    addSession.call(this, session)
  }
}

function viewOf(face: LifecycleSession, socket: Socket): LifecycleSession & LifecycleSocket {
  // A session takes no fragments. So that the tests of all else run, they go to the socket.
  const send = (...given: Parameters<LifecycleSession['send']>): boolean => {
    const [, options] = given as readonly unknown[]
    return (isOptions(options) && isFragment(options) ? socket : face).send(...given)
  }
  const bound = new Map<unknown, unknown>()
  const view: object = new Proxy(socket, {
    get(target, name) {
      if (Object.hasOwn(target, name)) return Reflect.get(target, name) as unknown
      if (name === 'send') return send
      const owner = name in face && name !== 'constructor' ? face : target
      const value: unknown = Reflect.get(owner, name)
      // Classes, and functions of the app, stay what they are.
      if (typeof value !== 'function' || value.prototype !== undefined) return value
      if (!bound.has(value)) bound.set(value, value.bind(owner))
      return bound.get(value)
    },
    set: (target, name, value) => Reflect.set(target, name, value),
  })
  return view as LifecycleSession & LifecycleSocket
}
