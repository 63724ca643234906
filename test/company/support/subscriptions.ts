// What every library that has subscriptions over WebSockets is asked for, whichever it is.
import assert from 'node:assert/strict'
import { once } from 'node:events'
import { describe, test, type TestContext } from 'node:test'
import type { FastifyInstance } from 'fastify'
import type { WebSocket } from 'ws'
import type { CloseCause, CloseInfo } from '../../../lib/index.js'
import { within } from '../../support/time/bound.js'
import { portOf, serve } from '../../support/servers/server.js'
import { Source } from './source.js'

/** What `Subscriber.add` asks for. */
export const sum = (x: number, y: number): number => x + y

/** What `Subscriber.fail` asks for. */
export function fail(): never {
  throw new Error('thrown by the app')
}

/** The code with which a client's WebSocket closes. */
export async function closeOf(ws: WebSocket): Promise<number> {
  const [code] = (await once(ws, 'close')) as [number]
  return code
}

/** The library's own client, with one subscription. */
export interface Subscriber {
  /** Resolves with the next item. */
  readonly next: () => Promise<number>
  /** Asks something over the same WebSocket. @returns what 2 and 3 are together */
  readonly add: () => Promise<number>
  /** Asks what throws. Rejects with what the server says of it. */
  readonly fail: () => Promise<unknown>
  /** Asks what the library's hook throws at, where the app has given it one. */
  readonly failInHook?: () => Promise<unknown>
  /** Ends the subscription, and keeps the WebSocket. */
  readonly unsubscribe: () => unknown
  /** Closes the WebSocket as the library does. */
  readonly leave: () => unknown
  /** Its process dies. */
  readonly vanish: () => void
  /** The code with which its WebSocket was closed. */
  readonly closed: Promise<number>
}

export interface Library {
  /** Adds it to the app; its subscription gives what comes from the source. */
  readonly add: (app: FastifyInstance, makeSource: () => Source) => unknown
  readonly subscribe: (t: Pick<TestContext, 'after'>, port: number) => Promise<Subscriber>
  /** The route at which it is. */
  readonly route: string
  /** The code with which its client leaves. */
  readonly leavesWith: number
}

interface Subscribed {
  readonly app: FastifyInstance
  readonly port: number
  /** One for each subscription. */
  readonly sources: Source[]
  readonly closes: CloseInfo[]
}

export async function serveLibrary(t: TestContext, { add }: Library): Promise<Subscribed> {
  const sources: Source[] = []
  const closes: CloseInfo[] = []
  const makeSource = (): Source => {
    const source = new Source()
    sources.push(source)
    return source
  }
  const app = await serve(t, {
    options: { onClose: (_socket, _request, close) => void closes.push(close) },
    routes: (app) => void app.register(async (child) => void (await add(child, makeSource))),
  })
  return { app, port: portOf(app), sources, closes }
}

/** Pushes into the last subscription that was made, and awaits that it arrives. */
export async function assertGives(
  source: Source | undefined,
  subscriber: Subscriber,
): Promise<void> {
  assert.ok(source)
  for (const item of [1, 2, 3]) {
    source.push(item)
    assert.equal(await within(subscriber.next(), 'an item'), item)
  }
}

interface End {
  readonly end: (subscriber: Subscriber, app: FastifyInstance) => unknown
  readonly cause: CloseCause
  /** On both sides; `undefined`: that of the library's client. */
  readonly code: number | undefined
}

const ENDS: Readonly<Record<string, End>> = {
  'its client has left': {
    end: ({ leave }) => leave(),
    cause: 'client-close',
    code: undefined,
  },
  'its client has vanished': {
    end: ({ vanish }) => vanish(),
    cause: 'connection-lost',
    code: 1006,
  },
  'the app closes': {
    end: (_subscriber, app) => app.close(),
    cause: 'shutdown',
    code: 1012,
  },
  'the app has ended it': {
    end: (_subscriber, app) => {
      for (const socket of app.websocketLifecycle.connections) socket.close(4001, 'kicked')
    },
    cause: 'server-close',
    code: 4001,
  },
}

/** @param what the library, as titles call it */
export function describeSubscriptions(what: string, library: Library): void {
  describe(`a subscription of ${what}`, () => {
    test('gives what its source gives, over a connection of ours', async (t) => {
      const { app, port, sources } = await serveLibrary(t, library)
      const subscriber = await library.subscribe(t, port)
      await assertGives(sources[0], subscriber)
      assert.equal(await within(subscriber.add(), 'an answer'), 5)
      const routes = [...app.websocketLifecycle.connections].map(
        ({ request }) => request.routeOptions.url,
      )
      assert.deepEqual(routes, [library.route])
    })

    test('returns its generator when the client has unsubscribed; the connection stays', async (t) => {
      const { app, port, sources } = await serveLibrary(t, library)
      const subscriber = await library.subscribe(t, port)
      await assertGives(sources[0], subscriber)
      await subscriber.unsubscribe()
      await within(Promise.resolve(sources[0]?.returned), 'the return of the generator')
      assert.equal(await within(subscriber.add(), 'an answer'), 5)
      assert.equal(app.websocketLifecycle.connections.size, 1)
    })

    for (const [title, { end, cause, code = library.leavesWith }] of Object.entries(ENDS)) {
      test(`returns its generator when ${title}, and no other's`, async (t) => {
        const { app, port, sources, closes } = await serveLibrary(t, library)
        const subscriber = await library.subscribe(t, port)
        await assertGives(sources[0], subscriber)
        const [socket] = app.websocketLifecycle.connections

        await within(Promise.resolve(end(subscriber, app)), 'the end')
        await within(Promise.resolve(socket?.closed), 'the close')
        await within(Promise.resolve(sources[0]?.returned), 'the return of the generator')
        assert.equal(await within(subscriber.closed, 'the close of the client'), code)
        assert.deepEqual(
          closes.map(({ cause, code }) => ({ cause, code })),
          [{ cause, code }],
        )
        assert.equal(app.websocketLifecycle.connections.size, 0)
      })
    }

    test('goes on when that of another ends', async (t) => {
      const { port, sources } = await serveLibrary(t, library)
      const first = await library.subscribe(t, port)
      const other = await library.subscribe(t, port)
      first.vanish()
      await within(Promise.resolve(sources[0]?.returned), 'the return of the generator')
      await assertGives(sources[1], other)
      assert.equal(sources[1]?.isOver, false)
    })

    test('does not keep app.close() waiting, with many of them', async (t) => {
      const { app, port, sources, closes } = await serveLibrary(t, library)
      const subscribers = await Promise.all(
        Array.from({ length: 20 }, async () => library.subscribe(t, port)),
      )
      const report = app.websocketLifecycle.drain()
      await within(app.close(), 'app.close()')
      const { closed, terminated, abandoned } = await report
      assert.deepEqual(
        { closed, terminated, abandoned },
        { closed: 20, terminated: 0, abandoned: [] },
      )
      for (const { closed } of subscribers) assert.equal(await within(closed, 'a close'), 1012)
      for (const { returned } of sources) await within(returned, 'the return of a generator')
      assert.deepEqual(new Set(closes.map(({ cause }) => cause)), new Set(['shutdown']))
    })
  })
}
