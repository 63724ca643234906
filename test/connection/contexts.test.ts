// Whose AsyncLocalStorage a callback sees: that of its own request, never another's.
import assert from 'node:assert/strict'
import { AsyncLocalStorage } from 'node:async_hooks'
import { once } from 'node:events'
import { type TestContext, test } from 'node:test'
import { setImmediate as turn } from 'node:timers/promises'
import { setFlagsFromString } from 'node:v8'
import { runInNewContext } from 'node:vm'
import type { FastifyInstance } from 'fastify'
import type {
  LifecycleSocket,
  RouteLifecycleOptions,
  WebsocketLifecycleOptions,
} from '../../lib/index.js'
import { delivered } from '../support/time/delivered.js'
import { FakeClock, turns } from '../support/time/fake-clock.js'
import { gate } from '../support/time/gate.js'
import { clog } from '../support/servers/outbox.js'
import { DEFLATE, OPCODE, RawPeer } from '../support/peers/raw-peer.js'
import { portOf, serve } from '../support/servers/server.js'
import { tell } from '../support/servers/story.js'

const { closeFrame, deflated, frame } = RawPeer
const store = new AsyncLocalStorage<string>()

interface World {
  readonly app: FastifyInstance
  readonly clock: FakeClock
  /** What was called, and whose it was there: `what: user`. */
  readonly seen: string[]
  readonly see: (what: string) => void
  readonly open: (user: string, path?: string) => Promise<Guest>
}

interface Guest {
  readonly peer: RawPeer
  readonly socket: LifecycleSocket
}

/** An app whose first hook gives each request a store, as @fastify/request-context does. */
async function world(
  t: TestContext,
  route: (see: World['see']) => RouteLifecycleOptions,
  handler: (socket: LifecycleSocket, see: World['see']) => unknown = () => {},
  options: WebsocketLifecycleOptions = {},
): Promise<World> {
  const clock = new FakeClock()
  const seen: string[] = []
  const see = (what: string): void => void seen.push(`${what}: ${store.getStore()}`)
  const opened: LifecycleSocket[] = []
  const app = await serve(t, {
    clock,
    options,
    before: (instance) => {
      instance.addHook('onRequest', (request, _reply, done) => {
        store.run(String(request.headers['x-user']), done)
      })
    },
    routes: (instance) => {
      instance.get('/', { websocket: true, ...route(see) }, (socket) => {
        opened.push(socket)
        return handler(socket, see)
      })
    },
  })
  return {
    app,
    clock,
    seen,
    see,
    open: async (user, extensions = '') => {
      const headers = {
        'x-user': user,
        ...(extensions !== '' && { 'sec-websocket-extensions': extensions }),
      }
      const peer = await RawPeer.open(portOf(app), '/', headers)
      while (opened.length === 0) await turn()
      return { peer, socket: opened.shift() as LifecycleSocket }
    },
  }
}

/** Each of some callbacks, called for each of two users, saw its own user. */
function assertOwn(seen: readonly string[], ...expected: string[]): void {
  assert.deepEqual([...new Set(seen)].toSorted(), expected.toSorted())
}

function both(...what: string[]): string[] {
  return what.flatMap((each) => [`${each}: ann`, `${each}: bob`])
}

test('messages and events are heard in the context of their own request, however one listens', async (t) => {
  const { open, seen } = await world(
    t,
    () => ({}),
    (socket, see) => {
      socket.on('message', () => see('on'))
      socket.addEventListener('message', () => see('addEventListener'))
      socket.onmessage = () => see('onmessage')
      socket.on('ping', () => see('ping'))
      socket.on('pong', () => see('pong'))
      socket.on('error', () => see('error'))
      socket.on('close', () => see('close'))
    },
  )
  const guests = [await open('ann'), await open('bob')]
  const each = [frame(OPCODE.text, 'x'), frame(OPCODE.ping), frame(OPCODE.pong)]
  for (const { peer } of guests)
    peer.send(...each, ...each, frame(OPCODE.text, Buffer.from([0xff])))
  await Promise.all(guests.map(({ socket }) => socket.closed))
  assertOwn(seen, ...both('on', 'addEventListener', 'onmessage', 'ping', 'pong', 'error', 'close'))
})

for (const kind of ['at once', 'asynchronous', 'behind a slow handler'] as const) {
  test(`onMessage that answers ${kind} sees its own request, also for what waited`, async (t) => {
    const { open, seen } = await world(
      t,
      (see) => ({
        onMessage: (socket, _request, message) => {
          see('onMessage')
          if (kind !== 'asynchronous') return void socket.send(message)
          return turn().then(() => {
            see('later')
            socket.send(message)
          })
        },
      }),
      async () => {
        if (kind === 'behind a slow handler') await turns(3)
      },
    )
    const guests = [await open('ann'), await open('bob')]
    for (const { peer } of guests) peer.send(...Array.from({ length: 5 }, () => frame(1, 'x')))
    for (const { peer } of guests) for (let i = 0; i < 5; i++) await peer.nextOf(OPCODE.text)
    assertOwn(seen, ...both('onMessage', ...(kind === 'asynchronous' ? ['later'] : [])))
  })
}

test('compressed messages see their own request, although all wait for one queue', async (t) => {
  const { open, seen } = await world(
    t,
    (see) => ({ onMessage: (socket) => (see('onMessage'), void socket.send('x')) }),
    (socket, see) => void socket.on('message', () => see('on')),
    { websocket: { perMessageDeflate: true } },
  )
  const guests = await Promise.all(
    Array.from({ length: 30 }, (_, i) =>
      open(i % 2 === 0 ? 'ann' : 'bob', DEFLATE['sec-websocket-extensions']),
    ),
  )
  const message = deflated('x'.repeat(100_000))
  for (const { peer } of guests) peer.send(message, message)
  for (const { peer } of guests) for (let i = 0; i < 2; i++) await peer.nextOf(OPCODE.text)
  assertOwn(seen, ...both('onMessage', 'on'))
})

// In a process of its own: the test runner watches async resources, and that looks like a store.
test('who has no store sees none, also where zlib goes on in the context of others', async (t) => {
  const { code, stdout, stderr } = await tell(t, 'contexts-of-nobody').exited
  assert.equal(stderr, '')
  assert.deepEqual(stdout, ['ann: ann, nobody: undefined'])
  assert.equal(code, 0)
})

test('messages() and its plain listeners see their own request, whoever asks for the next', async (t) => {
  const { open, seen, see } = await world(
    t,
    () => ({}),
    (socket, note) => void socket.on('message', () => note('on')),
  )
  const ann = await open('ann')
  const bob = await open('bob')
  const loop = ann.socket.messages()
  ann.peer.send(frame(1, 'a'), frame(1, 'b'))
  while (ann.socket.isPaused) await turn()
  await store.run('eve', async () => {
    await loop.next()
    await loop.next()
    see('next')
  })
  bob.peer.send(frame(1, 'c'))
  for await (const message of bob.socket.messages()) {
    assert.equal(message, 'c')
    break
  }
  assertOwn(seen, 'on: ann', 'on: bob', 'next: eve')
})

test('a listener that somebody else adds hears what waits in the context of the request', async (t) => {
  const slow = gate()
  const { open, seen, see } = await world(
    t,
    () => ({}),
    () => slow.opened,
  )
  const { peer, socket } = await open('ann')
  peer.send(frame(1, 'a'), frame(OPCODE.ping))
  await peer.nextOf(OPCODE.pong)
  store.run('eve', () => socket.on('message', () => see('on')))
  await delivered()
  slow.open()
  assertOwn(seen, 'on: ann')
})

/** How one user's action, or time, ends the connections of all others. */
const ENDS: Readonly<
  Record<string, (world: World, guests: readonly Guest[]) => Promise<unknown> | void>
> = {
  'another user closes them': (_world, guests) => {
    store.run('eve', () => {
      for (const { socket } of guests) socket.close()
    })
    for (const { peer } of guests) peer.send(closeFrame(1000))
  },
  'another user terminates them': (_world, guests) => {
    store.run('eve', () => {
      for (const { socket } of guests) socket.terminate()
    })
  },
  'an administrator drains': async ({ app }, guests) => {
    const drained = store.run('eve', () => app.websocketLifecycle.drain())
    for (const { peer } of guests) peer.send(closeFrame(1012))
    await drained
  },
  'they are silent': async ({ clock }) => {
    await store.run('eve', () => clock.advance(6_000))
  },
  'their time is over': async ({ clock }, guests) => {
    for (const { socket } of guests) socket.expireAt(clock.wall() + 500)
    await store.run('eve', () => clock.advance(6_000))
  },
  'they do not read': async ({ clock }, guests) => {
    for (const { peer, socket } of guests) {
      peer.freeze()
      await store.run('eve', () => clog(socket))
    }
    store.run('eve', () => {
      for (const { socket } of guests)
        while (socket.readyState === socket.OPEN) socket.send(Buffer.alloc(1 << 19))
    })
    for (const { peer } of guests) peer.destroy()
    await clock.advance(6_000)
  },
  'their callbacks throw': (_world, guests) => {
    store.run('eve', () => {
      for (const { socket } of guests) {
        socket.send('x', () => {
          throw new Error('callback')
        })
      }
    })
    for (const { peer } of guests) peer.send(closeFrame(1011))
  },
}

for (const [when, end] of Object.entries(ENDS)) {
  test(`hooks, releases and the signal see their own request when ${when}`, async (t) => {
    const all = await world(
      t,
      (see) => ({
        onClose: () => see('onClose'),
        onUnexpectedClose: () => see('onUnexpectedClose'),
        onShutdown: async () => {
          see('onShutdown')
          await turn()
          see('onShutdown')
        },
        onHandlerError: () => see('onHandlerError'),
      }),
      (socket, see) => {
        socket.scope.signal.addEventListener('abort', () => see('signal'))
        socket.scope.defer(async () => {
          see('release')
          await turn()
          see('release')
        })
        socket.scope.defer(() => see('release'))
        socket.on('close', () => see('close'))
      },
      { keepalive: { interval: 1_000, timeout: 1_000 }, closeTimeout: 300 },
    )
    const guests = [await all.open('ann'), await all.open('bob')]
    await end(all, guests)
    await Promise.all(guests.map(({ socket }) => socket.closed))
    store.run('eve', () => {
      for (const { socket } of guests) socket.scope.defer(() => all.see('late release'))
    })
    const called = new Set(all.seen.map((each) => each.replace(/: .*/, '')))
    for (const what of ['onClose', 'signal', 'release', 'late release', 'close'])
      assert.ok(called.has(what), what)
    assertOwn(all.seen, ...both(...called))
  })
}

test('callbacks of sends see what their call saw, also in a turn in which others send', async (t) => {
  const { open, seen, see } = await world(t, () => ({}))
  const guests = { ann: await open('ann'), bob: await open('bob') }
  const called: Array<Promise<unknown>> = []
  for (let i = 0; i < 20; i++) {
    for (const [user, { socket }] of Object.entries(guests)) {
      store.run(`call of ${user}`, () => {
        const data = i % 2 === 0 ? 'x' : Buffer.alloc(2_000)
        for (const send of ['send', 'ping', 'pong'] as const) {
          const short = send === 'send' ? data : 'x'
          called.push(
            new Promise<void>((resolve) => {
              const done = (): void => {
                see(`${send} to ${user}`)
                resolve()
              }
              if (send === 'send') socket.send(short, done)
              else socket[send](short, false, done)
            }),
          )
        }
      })
    }
  }
  await Promise.all(called)
  assertOwn(
    seen,
    ...['send', 'ping', 'pong'].flatMap((send) => [
      `${send} to ann: call of ann`,
      `${send} to bob: call of bob`,
    ]),
  )
})

test('an upgrade that is lost in a hook releases what it holds in its own context', async (t) => {
  const seen: string[] = []
  const see = (what: string): void => void seen.push(`${what}: ${store.getStore()}`)
  const hanging = gate()
  const app = await serve(t, {
    routes: (instance) => {
      instance.addHook('onRequest', (request, _reply, done) => {
        store.run(String(request.headers['x-user']), done)
      })
      instance.addHook('preValidation', async (request) => {
        request.wsScope?.signal.addEventListener('abort', () => see('signal'))
        request.wsScope?.defer(() => see('release'))
        hanging.open()
        await new Promise(() => {})
      })
      instance.get('/', { websocket: true }, () => {})
    },
  })
  const peer = await RawPeer.dial(portOf(app), '/', { 'x-user': 'ann' })
  await hanging.opened
  peer.finish()
  await peer.ended()
  while (seen.length < 2) await turn()
  assertOwn(seen, 'signal: ann', 'release: ann')
})

test('what serves all connections keeps no store of whoever came first', async (t) => {
  setFlagsFromString('--expose-gc')
  const collect = runInNewContext('gc') as () => void
  const objects = new AsyncLocalStorage<object>()
  const stores: Array<WeakRef<object>> = []
  const app = await serve(t, {
    before: (instance) => {
      instance.addHook('onRequest', (_request, _reply, done) => {
        const user = {}
        stores.push(new WeakRef(user))
        objects.run(user, done)
      })
    },
    routes: (instance) => {
      instance.get('/', { websocket: true, onMessage: (socket) => void socket.send('x') }, () => {})
    },
  })
  const [first, second] = [await RawPeer.open(portOf(app)), await RawPeer.open(portOf(app))]
  first.send(frame(1, 'a'), frame(1, 'b'))
  await first.next()
  first.send(closeFrame(1000))
  await first.nextOf(OPCODE.close)
  first.destroy()
  await once(first.socket, 'close')
  for (let i = 0; i < 100 && stores[0]?.deref() !== undefined; i++) {
    await turn()
    collect()
  }
  assert.equal(stores[0]?.deref(), undefined)
  assert.ok(stores[1]?.deref())
  second.destroy()
})
