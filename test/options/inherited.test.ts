// Options that are not own members: config classes with getters, and objects made from others.
import assert from 'node:assert/strict'
import { test } from 'node:test'
import Fastify from 'fastify'
import { WebSocketServer } from 'ws'
import { DEFAULTS } from '../../lib/options/defaults.js'
import { resolveDrainOptions } from '../../lib/options/resolve.js'
import { KNOWN_TO_WS } from '../../lib/options/websocket.js'
import { OURS_TO_SET } from '../../lib/platform/ws-options.js'
import { DEFLATE, OPCODE, RawPeer } from '../support/peers/raw-peer.js'
import { invalid, plugin, PLUGIN, route, ROUTE } from '../support/servers/resolve.js'
import { connectOne, portOf, serve, serveOne } from '../support/servers/server.js'

/** How an object comes to members that are not its own. */
const WAYS = [
  {
    way: 'the getters of its class',
    inheriting: (members: object) => Object.create(gettersOf(members)) as object,
  },
  {
    way: 'what it was created from',
    inheriting: (members: object) => Object.create(members) as object,
  },
] as const

/** As on the prototype of a class. */
function gettersOf(members: object): object {
  const getters = Object.entries(members).map(
    ([name, value]: [string, unknown]) => [name, { get: () => value, enumerable: false }] as const,
  )
  return Object.create(null, Object.fromEntries(getters)) as object
}

const GROUPS = {
  keepalive: { interval: 100, timeout: false },
  inbox: { maxMessages: 7, maxBytes: 8, concurrency: 6 },
  outbox: { highWaterMark: 7, maxBytes: 8, maxAge: 90, overflow: 'drop' },
  messageRate: { max: 5, window: 60 },
  maxConnectionsPerKey: { max: 4, key: () => 'anna', whenFull: 'replace', scope: 'cluster' },
} as const

const RESUME = { key: () => 'anna', window: 5_000, maxBytes: 6 } as const

const DRAIN = {
  timeout: 70,
  spread: 60,
  code: 4000,
  reason: 'bye',
  retryAfter: 9,
  reconnectWindow: 8,
}

for (const { way, inheriting } of WAYS) {
  for (const [group, members] of Object.entries(GROUPS)) {
    test(`${group} may inherit its members: ${way}`, () => {
      const options = { [group]: inheriting(members) }
      assert.deepEqual(Reflect.get(route(options), group), members)
      assert.deepEqual(Reflect.get(plugin(options).route, group), members)
      assert.deepEqual(Reflect.get(route({}, options), group), members)
    })
  }

  test(`resume may inherit its members: ${way}`, () => {
    assert.deepEqual(route({ resume: inheriting(RESUME) }).resume, RESUME)
  })

  test(`drain may inherit its members: ${way}`, () => {
    assert.deepEqual(plugin({ drain: inheriting(DRAIN) }).drain, DRAIN)
    assert.deepEqual(resolveDrainOptions(inheriting(DRAIN), DEFAULTS.drain, 'here'), DRAIN)
  })

  test(`websocket may inherit its members, and owns them for ws: ${way}`, () => {
    const perMessageDeflate = { threshold: 10, serverNoContextTakeover: true }
    const members = { maxPayload: 10, maxPendingAutoPongs: 3, verifyClient: () => true }
    const websocket = inheriting({
      ...members,
      perMessageDeflate: inheriting(perMessageDeflate),
    })
    // What ws does with them.
    assert.deepEqual({ ...plugin({ websocket }).websocket }, { ...members, perMessageDeflate })
    const untouched = plugin({ websocket: inheriting({ perMessageDeflate: true }) }).websocket
    assert.deepEqual({ ...untouched }, { maxPayload: 1_048_576, perMessageDeflate: true })
  })

  test(`the plugin's options may be inherited: ${way}`, () => {
    const options = { ...GROUPS, drain: DRAIN, closeTimeout: 5, onClose: () => {} }
    assert.deepEqual(plugin(inheriting(options)), plugin(options))
  })

  test(`what is inherited is checked as what is not: ${way}`, () => {
    const inbox = inheriting({ concurrency: 8, maxMessages: 7 })
    assert.throws(
      () => route({ inbox }),
      invalid(
        `Expected \`inbox.concurrency\` to be at most \`inbox.maxMessages\` (7), got \`8\` (number), in ${ROUTE}`,
      ),
    )
    assert.throws(
      () => plugin({ websocket: inheriting({ port: 1 }) }),
      invalid(
        `Expected \`websocket\` to leave \`port\` to the plugin, got \`1\` (number), in ${PLUGIN}`,
      ),
    )
    assert.equal(route({ inbox: inheriting({ concurrency: 100 }) }).inbox.maxMessages, 100)
    assert.equal(route({ outbox: inheriting({ maxBytes: 10 }) }).outbox.highWaterMark, 10)
  })
}

test('what a config class keeps for itself is no option, what everybody sees of it is', () => {
  class Inbox {
    readonly #megabytes: number
    constructor(megabytes: number) {
      this.#megabytes = megabytes
      Object.defineProperty(this, 'source', { value: 'env', enumerable: false })
    }
    get maxBytes(): number {
      return this.#megabytes * 1_048_576
    }
    describe(): string {
      return `${this.#megabytes} MiB`
    }
  }
  const inbox = new Inbox(2)
  assert.equal(route({ inbox }).inbox.maxBytes, 2_097_152)
  assert.throws(
    () => route({ inbox: Object.assign(inbox, { maxByte: 1 }) }),
    invalid(
      `Expected a known option, got \`inbox.maxByte\` (did you mean \`inbox.maxBytes\`?), in ${ROUTE}`,
    ),
  )
})

test("what ws's server knows is on our lists, which a new version of it may make longer", () => {
  const { options } = new WebSocketServer({ noServer: true })
  assert.deepEqual([...KNOWN_TO_WS, ...OURS_TO_SET].toSorted(), Object.keys(options).toSorted())
})

test('what ws does not know reaches it all the same, if it is an own member', () => {
  const websocket = { ofTomorrow: 1, perMessageDeflate: { ofTomorrow: 2 } }
  assert.deepEqual(plugin({ websocket }).websocket, { maxPayload: 1_048_576, ...websocket })
})

test('what a getter throws is what the caller gets', () => {
  const error = new Error('no such secret')
  const throwing = {
    get max(): number {
      throw error
    },
  }
  const names = ['keepalive', 'inbox', 'outbox', 'messageRate', 'drain', 'websocket']
  const refusing = new Proxy({}, { get: () => throwing.max })
  const isTheirs = (thrown: unknown): boolean => thrown === error
  for (const name of names) assert.throws(() => plugin({ [name]: refusing }), isTheirs, name)
  assert.throws(() => plugin({ maxConnectionsPerKey: throwing }), isTheirs)
  assert.throws(() => resolveDrainOptions(refusing, DEFAULTS.drain, 'here'), isTheirs)
  assert.throws(() => plugin(refusing), isTheirs)
})

test('each option is read once', () => {
  const reads: string[] = []
  const counting = (members: object, path = ''): object =>
    new Proxy(members, {
      get(target, name) {
        reads.push(path + String(name))
        const value: unknown = Reflect.get(target, name)
        const isGroup = typeof value === 'object' && value !== null && !Array.isArray(value)
        return isGroup ? counting(value, `${String(name)}.`) : value
      },
    })
  const websocket = { maxPayload: 10, perMessageDeflate: { threshold: 10 } }
  plugin(counting({ ...GROUPS, drain: DRAIN, closeTimeout: 5, websocket }))
  assert.ok(reads.includes('inbox.concurrency'))
  assert.ok(reads.includes('perMessageDeflate.threshold'))
  assert.deepEqual(reads, [...new Set(reads)])
  reads.length = 0
  route(counting({ ...GROUPS, closeTimeout: 5, resume: RESUME }))
  assert.ok(reads.includes('messageRate.window'))
  assert.deepEqual(reads, [...new Set(reads)])
})

/** What an app may keep its configuration in. */
class Config {
  get maxConnections(): number {
    return 1
  }
  get websocket(): object {
    return new WebsocketConfig()
  }
}

class WebsocketConfig {
  get maxPayload(): number {
    return 10
  }
  get perMessageDeflate(): object {
    return Object.create({ serverNoContextTakeover: true }) as object
  }
}

test('a config class at register is heard, by the plugin and by ws', async (t) => {
  const { port } = await serveOne(t, { options: new Config() })
  const peer = await RawPeer.dial(port, '/', DEFLATE)
  assert.match(await peer.answer(), /permessage-deflate; server_no_context_takeover/)
  const another = await RawPeer.dial(port)
  assert.match(await another.answer(), /^HTTP\/1\.1 503 /)
  peer.send(RawPeer.frame(OPCODE.text, 'x'.repeat(11)))
  assert.equal((await peer.nextOf(OPCODE.close))?.payload.readUInt16BE(), 1009)
})

test('drain() hears a config class', async (t) => {
  class Goodbye {
    get code(): number {
      return 4321
    }
  }
  const { app, peer } = await connectOne(t)
  const drained = app.websocketLifecycle.drain(new Goodbye())
  assert.equal((await peer.nextOf(OPCODE.close))?.payload.readUInt16BE(), 4321)
  peer.send(RawPeer.closeFrame(4321))
  await drained
})

test("a route's groups may inherit their members", async (t) => {
  const messageRate = Object.create({ max: 1, window: 60_000 }) as { max: number; window: number }
  const { peer, socket } = await connectOne(t, { route: { messageRate } })
  const text = RawPeer.frame(OPCODE.text, 'x')
  peer.send(text, text)
  assert.equal((await socket.closed).cause, 'rate-limited')
})

test("Fastify loses what a route's options inherit, before any plugin sees them", async () => {
  const app = Fastify()
  const seen: object[] = []
  app.addHook('onRoute', (options) => void seen.push(options))
  const options: object = Object.assign(Object.create({ inherited: 1 }) as object, { own: 1 })
  app.get('/', options, () => {})
  assert.deepEqual(
    seen.map((each) => ['own' in each, 'inherited' in each]),
    // The route, and its HEAD.
    [
      [true, false],
      [true, false],
    ],
  )
  await app.close()
})

test('a schema may inherit its parts, as on a plain route', async (t) => {
  const room = { type: 'object', required: ['room'] }
  const schema = Object.create({ querystring: room, message: { type: 'number' } }) as object
  const heard: unknown[] = []
  const app = await serve(t, {
    routes: (app) => {
      app.get(
        '/',
        { websocket: true, schema, onMessage: (_socket, _request, message) => heard.push(message) },
        () => {},
      )
      app.get('/plain', { schema }, async () => 'ok')
    },
  })
  assert.equal((await app.inject('/plain')).statusCode, 400)
  const stranger = await RawPeer.dial(portOf(app))
  assert.match(await stranger.answer(), /^HTTP\/1\.1 400 /)
  const peer = await RawPeer.open(portOf(app), '/?room=1')
  peer.send(RawPeer.frame(OPCODE.text, '5'), RawPeer.frame(OPCODE.text, '"five"'))
  assert.equal((await peer.nextOf(OPCODE.close))?.payload.readUInt16BE(), 1007)
  assert.deepEqual(heard, [5])
  assert.deepEqual(Object.keys(schema), [])
})
