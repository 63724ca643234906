// Apps under test beside fake timers, as sinon, vitest and jest install them: after everything has been loaded.
import assert from 'node:assert/strict'
import { on, once } from 'node:events'
import { mock, test, type TestContext } from 'node:test'
import FakeTimers, { type Clock } from '@sinonjs/fake-timers'
import Fastify, { type FastifyInstance } from 'fastify'
import type { WebSocket } from 'ws'
import websocketLifecycle, {
  type CloseInfo,
  type LifecycleSocket,
  type RouteLifecycleOptions,
  type WebsocketLifecycleOptions,
} from '../../lib/index.js'
import { toExpiry } from '../../lib/options/expiry.js'
import { connect } from '../support/peers/connect.js'
import { OPCODE, RawPeer } from '../support/peers/raw-peer.js'
import { endWith, portOf } from '../support/servers/server.js'

/** What a test has faked; the bound of this file's own waits is real. */
interface Faked {
  /** Moves the fake time on. */
  tick(ms: number): void
  uninstall(): void
}

/** The `setTimeout` of node, kept as lib/ keeps it. */
const real = { setTimeout: globalThis.setTimeout, clearTimeout: globalThis.clearTimeout }

const ALL = [
  'setTimeout',
  'clearTimeout',
  'setInterval',
  'clearInterval',
  'setImmediate',
  'clearImmediate',
  'Date',
  'hrtime',
  'performance',
] as const

const START = Date.UTC(2020, 0, 1)

/**
 * Faked alone would be enough to stop node's own streams, and the start of Fastify, with or without us. In jest, whose
 * tests have a `process` of their own, ticks of a library do not run, but those of node do. Here those of lib/ do not.
 */
function fakeOurTicks(): () => void {
  const nextTick: unknown = Reflect.get(process, 'nextTick')
  const { queueMicrotask } = globalThis
  process.nextTick = (callback: (...args: never[]) => void, ...args: unknown[]): void => {
    if (!isAskedByUs()) Reflect.apply(nextTick as () => void, process, [callback, ...args])
  }
  globalThis.queueMicrotask = (callback) => {
    if (!isAskedByUs()) queueMicrotask(callback)
  }
  return () => {
    Reflect.set(process, 'nextTick', nextTick)
    globalThis.queueMicrotask = queueMicrotask
  }
}

/** Whether it was a file of lib/ that called the function which asks this; other packages are there as JavaScript. */
function isAskedByUs(): boolean {
  const [, , , caller = ''] = (new Error('who asks').stack ?? '').split('\n')
  return /[\\/]lib[\\/](?:[\w-]+[\\/])*[\w-]+\.ts/.test(caller)
}

const WAYS: Readonly<Record<string, () => Faked>> = {
  'sinon, everything': () => {
    const restore = fakeOurTicks()
    const clock: Clock = FakeTimers.install({ now: START, toFake: [...ALL] })
    return {
      tick: (ms) => void clock.tick(ms),
      uninstall: () => {
        clock.uninstall()
        restore()
      },
    }
  },
  "node's own": () => {
    mock.timers.enable({ apis: ['setTimeout', 'setInterval', 'setImmediate', 'Date'], now: START })
    return { tick: (ms) => mock.timers.tick(ms), uninstall: () => mock.timers.reset() }
  },
}

/** Fails instead of waiting for ever, by a timer that nobody has faked. */
async function within<T>(promise: Promise<T>, what: string): Promise<T> {
  let timer: NodeJS.Timeout | undefined
  const late = new Promise<never>((_resolve, reject) => {
    timer = real.setTimeout(() => reject(new Error(`Expected ${what}`)), 10_000)
  })
  try {
    return await Promise.race([promise, late])
  } finally {
    real.clearTimeout(timer)
  }
}

interface Faking {
  readonly app: FastifyInstance
  readonly faked: Faked
  readonly sockets: LifecycleSocket[]
  readonly closes: CloseInfo[]
}

/** An app that is made and started with fake timers in place, as after `beforeEach(useFakeTimers)`. */
async function serveFaked(
  t: TestContext,
  fake: () => Faked,
  options: WebsocketLifecycleOptions,
  route: RouteLifecycleOptions = {},
): Promise<Faking> {
  const faked = fake()
  t.after(() => faked.uninstall())
  const app = Fastify()
  endWith(t, app)
  const sockets: LifecycleSocket[] = []
  const closes: CloseInfo[] = []
  await app.register(websocketLifecycle, options)
  app.get(
    '/',
    { websocket: true, onClose: (_socket, _request, close) => closes.push(close), ...route },
    (socket) => {
      sockets.push(socket)
      socket.on('message', (data: Buffer) => {
        // Two: the second one is held back for the end of the turn.
        socket.send(`1 ${data.toString()}`)
        socket.send(`2 ${data.toString()}`)
      })
    },
  )
  await within(app.listen({ host: '127.0.0.1', port: 0 }), 'the start')
  return { app, faked, sockets, closes }
}

async function texts(client: WebSocket, count: number): Promise<string[]> {
  const taken: string[] = []
  for await (const [data] of on(client, 'message')) {
    taken.push(String(data))
    if (taken.length === count) break
  }
  return taken
}

const hangs = async (): Promise<never> => new Promise(() => {})

for (const [way, fake] of Object.entries(WAYS)) {
  test(`${way}: injectWS opens, echoes and closes, and app.close() ends`, async (t) => {
    const { app, sockets, closes } = await serveFaked(t, fake, {})
    const client = await within(app.injectWS('/'), 'the 101')
    const echoes = texts(client, 2)
    client.send('hi')
    assert.deepEqual(await within(echoes, 'both echoes'), ['1 hi', '2 hi'])
    // Its own end is ws's, which waits for a global timer.
    client.close(4000)
    assert.equal((await within(sockets[0]!.closed, 'the end')).code, 4000)
    await within(app.injectWS('/'), 'another 101')
    await within(app.close(), 'the end of app.close()')
    assert.deepEqual(
      closes.map(({ cause }) => cause),
      ['client-close', 'shutdown'],
    )
  })

  test(`${way}: a real socket lives and ends in real time`, async (t) => {
    const keepalive = { interval: 50, timeout: 100 } as const
    const { app, closes, sockets } = await serveFaked(t, fake, { keepalive, closeTimeout: 100 })
    const client = await connect(app)
    client.send('hi')
    assert.deepEqual([await client.next(), await client.next()], ['1 hi', '2 hi'])
    await within(once(sockets[0]!, 'pong'), 'the pong of its ping')
    // It answers no ping.
    const peer = await RawPeer.open(portOf(app))
    await within(peer.ended(), 'the verdict')
    // Nor a close frame.
    const silent = await RawPeer.open(portOf(app))
    await within(app.close(), 'the end of app.close()')
    assert.equal((await client.closed).code, 1012)
    await within(silent.ended(), 'the cut')
    const causes = closes.map(({ cause }) => cause)
    assert.deepEqual(causes, ['heartbeat-timeout', 'shutdown', 'shutdown'])
  })

  test(`${way}: steps of an end and a spread drain take real time`, async (t) => {
    const { app } = await serveFaked(
      t,
      fake,
      { cleanupTimeout: 50, drain: { spread: 50, timeout: 2_000 } },
      { onShutdown: hangs, onClose: hangs },
    )
    const peers = await Promise.all([RawPeer.open(portOf(app)), RawPeer.open(portOf(app))])
    const report = app.websocketLifecycle.drain()
    for (const peer of peers) {
      const frame = await within(peer.nextOf(OPCODE.close), 'a close frame')
      assert.equal(frame?.payload.readUInt16BE(), 1012)
      peer.send(RawPeer.closeFrame(1012))
    }
    const { abandoned } = await within(report, 'the report')
    assert.deepEqual(abandoned.map(({ step }) => step).toSorted(), [
      'onClose',
      'onClose',
      'onShutdown',
      'onShutdown',
    ])
  })

  test(`${way}: moments follow the faked Date`, async (t) => {
    const { app, faked, closes } = await serveFaked(t, fake, {
      expiresAt: () => new Date(Date.now() + 60_000),
    })
    const peer = await within(RawPeer.open(portOf(app)), 'the 101')
    faked.tick(59_000)
    peer.send(RawPeer.frame(OPCODE.text, 'hi'))
    assert.equal(String((await within(peer.next(), 'an echo'))?.payload), '1 hi')
    faked.tick(1_000)
    const frame = await within(peer.nextOf(OPCODE.close), 'the end of the credentials')
    assert.equal(frame?.payload.readUInt16BE(), 3000)
    peer.send(RawPeer.closeFrame(3000))
    await within(app.close(), 'the end of app.close()')
    assert.deepEqual(
      closes.map(({ cause, openedAt, duration }) => [cause, openedAt, duration < 30_000]),
      [['auth-expired', START, true]],
    )
  })
}

test('a moment is read as it is, whatever a test has made of Date', (t) => {
  const moment = new Date(START)
  const { Date: RealDate } = globalThis
  t.after(() => {
    globalThis.Date = RealDate
  })
  class SameDate extends RealDate {
    constructor() {
      super(0)
    }
  }
  globalThis.Date = SameDate as DateConstructor
  assert.equal(toExpiry(moment, 'here'), START)
})
