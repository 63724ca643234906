// The tracing channels of `node:diagnostics_channel`.
import assert from 'node:assert/strict'
import { AsyncLocalStorage } from 'node:async_hooks'
import { subscribe, tracingChannel, unsubscribe } from 'node:diagnostics_channel'
import { test, type TestContext } from 'node:test'
import type { FastifyReply } from 'fastify'
import type { LifecycleTraces } from '../../lib/index.js'
import { OPCODE, RawPeer } from '../support/peers/raw-peer.js'
import { connectOne, portOf, serve } from '../support/servers/server.js'
import { gate } from '../support/time/gate.js'
import { until } from '../support/time/timed.js'

type Name = keyof LifecycleTraces

interface Trace<Of extends Name> {
  readonly moments: string[]
  readonly calls: Array<LifecycleTraces[Of]>
  /** Bound to `start`: what the traced call runs with. */
  readonly store: AsyncLocalStorage<LifecycleTraces[Of]>
}

/** Traces until the test is over. */
function trace<Of extends Name>(t: TestContext, name: Of): Trace<Of> {
  const channels = tracingChannel(`fastify-websocket-lifecycle:${name}`)
  const moments: string[] = []
  const calls: Array<LifecycleTraces[Of]> = []
  const store = new AsyncLocalStorage<LifecycleTraces[Of]>()
  const subscribers = {
    start: (call: unknown): void => {
      moments.push('start')
      calls.push(call as LifecycleTraces[Of])
    },
    end: (): void => void moments.push('end'),
    asyncStart: (): void => void moments.push('asyncStart'),
    asyncEnd: (): void => void moments.push('asyncEnd'),
    error: (): void => void moments.push('error'),
  }
  channels.subscribe(subscribers)
  channels.start.bindStore(store)
  t.after(() => {
    channels.unsubscribe(subscribers)
    channels.start.unbindStore(store)
  })
  return { moments, calls, store }
}

const { frame } = RawPeer

test('a call of onMessage is traced, and runs with the store, also after an await', async (t) => {
  const { moments, calls, store } = trace(t, 'message')
  const seen: unknown[] = []
  const { app, peer, socket } = await connectOne(t, {
    route: {
      onMessage: async (_socket, _request, message) => {
        seen.push(store.getStore())
        await Promise.resolve()
        seen.push(store.getStore())
        if (message.toString() === 'no') throw new Error('refused')
      },
    },
  })
  peer.send(frame(OPCODE.text, 'yes'))
  await until(() => moments.length === 4)
  const [call] = calls
  assert.deepEqual(moments.splice(0), ['start', 'end', 'asyncStart', 'asyncEnd'])
  assert.deepEqual(call, {
    app,
    id: socket.id,
    route: '/',
    connection: socket,
    message: call?.message,
  })
  assert.equal(String(call?.message), 'yes')
  assert.deepEqual(seen, [call, call])
  peer.send(frame(OPCODE.text, 'no'))
  const { cause } = await socket.closed
  assert.equal(cause, 'handler-error')
  assert.deepEqual(moments, ['start', 'end', 'error', 'asyncStart', 'asyncEnd'])
  assert.match(String(calls[1]?.error), /refused/)
  peer.destroy()
})

test('an onMessage that returns no promise, or throws, is traced too', async (t) => {
  const { moments, calls } = trace(t, 'message')
  const { peer, socket } = await connectOne(t, {
    route: {
      onMessage: (_socket, _request, message) => {
        if (message.toString() === 'no') throw new Error('refused')
      },
    },
  })
  peer.send(frame(OPCODE.text, 'yes'), frame(OPCODE.text, 'no'))
  assert.equal((await socket.closed).cause, 'handler-error')
  assert.deepEqual(moments, ['start', 'end', 'start', 'error', 'end'])
  assert.match(String(calls[1]?.error), /refused/)
  peer.destroy()
})

test('a lazy query that onMessage returns runs once, traced too', async (t) => {
  const { moments } = trace(t, 'message')
  let runs = 0
  const query = {}
  Reflect.set(query, 'then', (done: (value: unknown) => void) => {
    runs++
    done(undefined)
  })
  const { peer } = await connectOne(t, { route: { onMessage: () => query } })
  peer.send(frame(OPCODE.text, 'x'))
  await until(() => moments.includes('asyncEnd'))
  assert.equal(runs, 1)
  peer.destroy()
})

test('each step of an end is traced, by name', async (t) => {
  const { moments, calls, store } = trace(t, 'step')
  const seen: unknown[] = []
  const { peer, socket } = await connectOne(t, {
    route: {
      onMessage: () => {},
      onClose: async () => {
        await Promise.resolve()
        seen.push(store.getStore()?.name)
      },
    },
  })
  peer.reset()
  await socket.closed
  assert.deepEqual(
    calls.map(({ id, route, name }) => [id === socket.id, route, name]),
    [
      [true, '/', 'messages'],
      [true, '/', 'onUnexpectedClose'],
      [true, '/', 'onClose'],
      [true, '/', 'release'],
    ],
  )
  assert.deepEqual(seen, ['onClose'])
  assert.equal(moments.filter((moment) => moment === 'asyncEnd').length, 1)
})

const no = async (_request: unknown, reply: FastifyReply): Promise<unknown> =>
  reply.code(401).send()

test('a handshake is traced until its answer; hooks and the handler run with the store', async (t) => {
  const { moments, calls, store } = trace(t, 'handshake')
  const seen: unknown[] = []
  const waiting = gate()
  const asking = gate()
  const later = async (): Promise<void> => {
    asking.open()
    await waiting.opened
  }
  const app = await serve(t, {
    routes: (instance) => {
      instance.addHook('onRequest', async () => void seen.push(store.getStore()))
      instance.get('/', { websocket: true }, async () => {
        await Promise.resolve()
        seen.push(store.getStore())
      })
      instance.get('/no', { websocket: true, preValidation: no }, () => {})
      instance.get('/late', { websocket: true, preValidation: later }, () => {})
    },
  })
  const port = portOf(app)
  const outcomes = (): unknown[] =>
    calls.map(({ route, outcome, statusCode }) => [route, outcome, statusCode])

  const opened = await RawPeer.open(port, '/')
  await until(() => seen.length === 2)
  assert.deepEqual(seen.splice(0), [calls[0], calls[0]])
  assert.deepEqual(moments.splice(0), ['start', 'end', 'asyncStart', 'asyncEnd'])

  const answered = await RawPeer.dial(port, '/no')
  await answered.answer()
  await answered.ended()
  const refused = await RawPeer.dial(port, '/nowhere')
  await refused.answer()
  const lost = await RawPeer.dial(port, '/late')
  await asking.opened
  lost.reset()
  await until(() => calls.at(-1)?.outcome !== undefined)
  waiting.open()
  assert.deepEqual(outcomes(), [
    ['/', 'opened', 101],
    ['/no', 'answered', 401],
    [undefined, 'refused', 404],
    ['/late', 'lost', undefined],
  ])
  assert.equal(moments.filter((moment) => moment === 'asyncEnd').length, 3)
  for (const peer of [opened, answered, refused]) peer.destroy()
})

test('one who listens to one channel only is told too', async (t) => {
  const channel = 'tracing:fastify-websocket-lifecycle:step:asyncEnd'
  const names: string[] = []
  const listener = (call: unknown): void => void names.push((call as LifecycleTraces['step']).name)
  subscribe(channel, listener)
  t.after(() => unsubscribe(channel, listener))
  const { peer, socket } = await connectOne(t, { route: { onClose: async () => {} } })
  peer.reset()
  await socket.closed
  assert.deepEqual(names, ['onClose'])
})
