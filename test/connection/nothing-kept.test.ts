// Once a connection is over nothing of it can be reached from us, while the server lives on: not its stream, its
// request or its socket, nor what the app hung on them.
import assert from 'node:assert/strict'
import type { Duplex } from 'node:stream'
import { describe, test, type TestContext } from 'node:test'
import { setFlagsFromString } from 'node:v8'
import { runInNewContext } from 'node:vm'
import type { FastifyInstance, FastifyRequest } from 'fastify'
import type {
  LifecycleOptions,
  LifecycleSocket,
  WebsocketLifecycleOptions,
} from '../../lib/index.js'
import { delivered } from '../support/time/delivered.js'
import { FakeClock, turns } from '../support/time/fake-clock.js'
import { rawOf } from '../support/servers/outbox.js'
import { OPCODE, RawPeer } from '../support/peers/raw-peer.js'
import { portOf, serve } from '../support/servers/server.js'
import { until } from '../support/time/timed.js'

setFlagsFromString('--expose-gc')
const collect = runInNewContext('gc') as () => void

const CROWD = 10
/** More than a kernel holds; all send the same. */
const FLOOD = Buffer.alloc(16 * 1024 * 1024)

interface Crowd {
  readonly app: FastifyInstance
  readonly clock: FakeClock
  readonly peers: readonly RawPeer[]
}

interface Way {
  readonly options?: WebsocketLifecycleOptions
  readonly route?: LifecycleOptions
  /** Hooks of the route. */
  readonly preHandler?: (request: FastifyRequest, reply: unknown) => Promise<unknown>
  readonly handler?: (socket: LifecycleSocket) => unknown
  readonly path?: string
  readonly headers?: Record<string, string>
  /** Whether the peers wait for a 101. */
  readonly opens?: boolean
  readonly end: (crowd: Crowd) => unknown
}

/** What was seen of each connection, by its kind. */
class Watched {
  readonly #refs: Array<{ readonly kind: string; readonly ref: WeakRef<object> }> = []

  add(kind: string, thing: object): void {
    this.#refs.push({ kind, ref: new WeakRef(thing) })
  }

  /** How many there are that were not collected. */
  left(): Record<string, number> {
    const left: Record<string, number> = {}
    for (const { kind, ref } of this.#refs) {
      if (ref.deref() !== undefined) left[kind] = (left[kind] ?? 0) + 1
    }
    return left
  }

  get size(): number {
    return this.#refs.length
  }
}

function watchRequest(watched: Watched, request: FastifyRequest): void {
  watched.add('request', request)
  watched.add('message', request.raw)
  const { socket }: { readonly socket?: Duplex } = request.raw
  // That of injectWS has none.
  if (socket !== undefined) watchStream(watched, socket)
}

function watchStream(watched: Watched, stream: Duplex): void {
  const hung = {}
  Reflect.set(stream, 'hung', hung)
  watched.add('stream', stream)
  watched.add('hung', hung)
}

async function open(t: TestContext, way: Way): Promise<Crowd & { watched: Watched }> {
  const clock = new FakeClock()
  const watched = new Watched()
  const app = await serve(t, {
    clock,
    options: { keepalive: false, closeTimeout: 1_000, ...way.options },
    before: (app) => app.addHook('onRequest', async (request) => watchRequest(watched, request)),
    routes: (app) => {
      const { preHandler = async () => {} } = way
      app.get('/', { websocket: true, preHandler, ...way.route }, (socket) => {
        watched.add('socket', socket)
        const { raw } = socket.request
        if (raw.socket === undefined) watchStream(watched, rawOf(socket))
        socket.scope.defer(() => {})
        return way.handler?.(socket)
      })
    },
  })
  const peers: RawPeer[] = []
  for (let i = 0; i < CROWD; i++) {
    const door = way.opens === false ? 'dial' : 'open'
    peers.push(await RawPeer[door](portOf(app), way.path, way.headers))
  }
  return { app, clock, peers, watched }
}

function each(app: FastifyInstance, act: (socket: LifecycleSocket) => void): void {
  for (const socket of app.websocketLifecycle.connections) act(socket)
}

function say(...frames: Buffer[]): (crowd: Crowd) => void {
  return ({ peers }) => {
    for (const peer of peers) peer.send(...frames)
  }
}

/** Each peer answers the close frame that comes. */
async function answerCloses(peers: readonly RawPeer[]): Promise<void> {
  for (const peer of peers) {
    await peer.nextOf(OPCODE.close)
    peer.send(RawPeer.closeFrame(4000))
  }
}

/** Each peer answers, and then the server decides by the clock. */
async function wait({ clock }: Crowd): Promise<void> {
  await clock.advance(10_000)
}

function freeze({ peers }: Crowd): void {
  for (const peer of peers) peer.freeze()
}

const hang = async (): Promise<never> => new Promise(() => {})
const REFUSED = { opens: false, headers: { origin: 'https://evil.example' } } as const
const message = RawPeer.frame(OPCODE.text, 'hello')

const WAYS: Readonly<Record<string, Way>> = {
  'a close of the client': { end: say(RawPeer.closeFrame(1000)) },
  'a close of the server': {
    end: async ({ app, peers }) => {
      each(app, (socket) => socket.close(4000))
      await answerCloses(peers)
    },
  },
  'a close that nobody answers': {
    end: async (crowd) => {
      each(crowd.app, (socket) => socket.close(4000))
      await wait(crowd)
    },
  },
  'terminate()': { end: ({ app }) => each(app, (socket) => socket.terminate()) },
  'a FIN': { end: ({ peers }) => peers.forEach((peer) => peer.finish()) },
  'a reset': { end: ({ peers }) => peers.forEach((peer) => peer.reset()) },
  'a stream that the app destroys': {
    end: ({ app }) => each(app, ({ request }) => request.raw.socket.destroy()),
  },
  'heartbeat-timeout': { options: { keepalive: { interval: 1_000, timeout: 1_000 } }, end: wait },
  'idle-timeout': { route: { idleTimeout: 1_000 }, end: wait },
  'lifetime-expired': { route: { maxLifetime: 1_000 }, end: wait },
  'auth-expired': {
    handler: (socket) => socket.expireAt(1_700_000_003_000),
    end: wait,
  },
  'slow-consumer': {
    end: async (crowd) => {
      freeze(crowd)
      each(crowd.app, (socket) => {
        for (let i = 0; i < 3; i++) socket.send(FLOOD)
      })
      await wait(crowd)
    },
  },
  'rate-limited': {
    route: { messageRate: { max: 1, window: 1_000 } },
    end: async (crowd) => {
      say(message, message, message)(crowd)
      await answerCloses(crowd.peers)
    },
  },
  replaced: {
    route: { maxConnectionsPerKey: { max: 1, key: () => 'one', whenFull: 'replace' } },
    opens: false,
    // The last one opens when the first, which answers nothing, is cut off; those between have never opened.
    end: async (crowd) => {
      await wait(crowd)
      each(crowd.app, (socket) => socket.terminate())
    },
  },
  'a place that came too late': {
    route: {
      closeTimeout: 20_000,
      maxConnectionsPerKey: { max: 1, key: () => 'one', whenFull: 'replace' },
    },
    opens: false,
    end: async (crowd) => {
      await wait(crowd)
      await wait(crowd)
      await wait(crowd)
    },
  },
  'handler-error': {
    handler: (socket) => {
      socket.on('message', () => {
        throw new Error('mine')
      })
    },
    end: async (crowd) => {
      say(message)(crowd)
      await answerCloses(crowd.peers)
    },
  },
  'protocol-error': { end: say(RawPeer.bytes(0x83, 'x')) },
  'message-too-big': {
    options: { websocket: { maxPayload: 100 } },
    end: say(RawPeer.frame(OPCODE.text, 'x'.repeat(200))),
  },
  'a burst that was held back': {
    handler: (socket) => {
      socket.on('message', () => {
        for (let i = 0; i < 5; i++) socket.send('x')
        socket.terminate()
      })
    },
    end: say(message),
  },
  'messages that wait, and a loop that reads them': {
    handler: async (socket) => {
      for await (const each of socket.messages()) {
        socket.send(each)
        await socket.drained()
      }
    },
    end: say(message, message, RawPeer.closeFrame(1000)),
  },
  'steps that hang': {
    route: { cleanupTimeout: 1_000, onClose: hang },
    end: async (crowd) => {
      say(RawPeer.closeFrame(1000))(crowd)
      await delivered()
      await wait(crowd)
    },
  },
  'a refusal by close frame': {
    ...REFUSED,
    options: { refuse: 'close-frame' },
    end: wait,
  },
  'a refusal by HTTP': { ...REFUSED, end: wait },
  'an unknown path': { path: '/unknown', opens: false, end: wait },
  'a hook that throws': {
    opens: false,
    preHandler: async () => {
      throw new Error('mine')
    },
    end: wait,
  },
  handshakeTimeout: {
    opens: false,
    options: { handshakeTimeout: 1_000 },
    preHandler: hang,
    end: wait,
  },
  'a FIN during hooks': {
    opens: false,
    preHandler: hang,
    end: ({ peers }) => peers.forEach((peer) => peer.finish()),
  },
  'a reset during hooks': {
    opens: false,
    preHandler: hang,
    end: ({ peers }) => peers.forEach((peer) => peer.reset()),
  },
  'a drain': {
    end: async ({ app, peers }) => {
      const draining = app.websocketLifecycle.drain()
      await answerCloses(peers)
      await draining
    },
  },
  'a drain with goodbyes': {
    route: { onShutdown: async (socket) => void socket.send('goodbye') },
    end: async ({ app, peers }) => {
      const draining = app.websocketLifecycle.drain()
      await answerCloses(peers)
      await draining
    },
  },
  'a drain with goodbyes that hang': {
    route: { onShutdown: hang },
    end: async ({ app, clock }) => {
      const draining = app.websocketLifecycle.drain()
      await clock.advance(20_000)
      await draining
    },
  },
  'a drain with frozen peers': {
    end: async (crowd) => {
      freeze(crowd)
      const draining = crowd.app.websocketLifecycle.drain()
      await wait(crowd)
      await draining
    },
  },
  'a drain that comes to its deadline': {
    options: { closeTimeout: 60_000 },
    end: async (crowd) => {
      freeze(crowd)
      const draining = crowd.app.websocketLifecycle.drain()
      await wait(crowd)
      await draining
    },
  },
  'a drain during hooks': {
    opens: false,
    preHandler: hang,
    end: ({ app }) => app.websocketLifecycle.drain(),
  },
  'a drain that is under way, and waits for its next departure': {
    options: { drain: { spread: 5_000 } },
    end: async (crowd) => {
      void crowd.app.websocketLifecycle.drain()
      await crowd.clock.advance(2_500)
      say(RawPeer.closeFrame(1000))(crowd)
    },
  },
  'a drain whose spread is shortened': {
    options: { drain: { timeout: 8_000 } },
    end: async ({ app, clock, peers }) => {
      const draining = app.websocketLifecycle.drain({ timeout: 60_000, spread: 50_000 })
      await clock.advance(5_000)
      void app.close()
      await answerCloses(peers)
      await draining
    },
  },
}

describe('nothing is kept of a connection after', () => {
  for (const [name, way] of Object.entries(WAYS)) {
    test(name, async (t) => {
      const crowd = await open(t, way)
      const { app, watched } = crowd
      await until(() => watched.size >= CROWD * (way.opens === false ? 4 : 5))
      await way.end(crowd)
      await assertCollected(app, watched)
      for (const peer of crowd.peers) peer.destroy()
    })
  }

  test('injectWS', async (t) => {
    const { app, watched } = await open(t, { end: wait })
    await openInjected(app)
    await assertCollected(app, watched)
  })
})

async function openInjected(app: FastifyInstance): Promise<void> {
  each(app, (socket) => socket.terminate())
  for (let i = 0; i < CROWD; i++) {
    const client = await app.injectWS('/')
    client.close(1000)
  }
}

/** Collects, a bounded number of times, until nothing is left. */
async function assertCollected(app: FastifyInstance, watched: Watched): Promise<void> {
  await until(() => app.websocketLifecycle.connections.size === 0)
  for (let i = 0; i < 50 && Object.keys(watched.left()).length > 0; i++) {
    // Who has been looked at, as for what is on its way, is kept for the rest of that turn.
    await turns(1)
    collect()
  }
  assert.deepEqual(watched.left(), {})
}
