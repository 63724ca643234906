// Two thousand that want in at once, where there is room for a hundred.
import assert from 'node:assert/strict'
import { test, type TestContext } from 'node:test'
import type { FastifyInstance, FastifyRequest } from 'fastify'
import type { WebsocketLifecycleOptions } from '../../lib/index.js'
import { within } from '../support/time/bound.js'
import { parseAnswer } from '../support/peers/client.js'
import { FakeClock, turns } from '../support/time/fake-clock.js'
import { RawPeer } from '../support/peers/raw-peer.js'
import { refused } from '../support/servers/refused.js'
import { portOf, serve } from '../support/servers/server.js'
import { originOf } from '../support/servers/tls-pass.js'
import { until } from '../support/time/timed.js'

const ATTEMPTS = 2_000
const ROOM = 100

/** So many connect at once: the kernel keeps no more than its backlog waiting for us. */
const BATCH = 100

interface Crowd {
  readonly app: FastifyInstance
  /** So many were open at once: at most, at each open; of all and of each key. */
  readonly most: Map<string, number>
}

/** The key that a peer has given itself. */
function keyOf({ headers }: FastifyRequest): string {
  return String(headers['x-key'])
}

/** Waits for a while that differs from one to the next, so that they overtake each other. */
async function dawdle(request: FastifyRequest): Promise<void> {
  await turns((Number(request.headers['x-number']) * 7) % 13)
}

async function dawdleOrThrow(request: FastifyRequest): Promise<void> {
  await dawdle(request)
  if (request.headers['x-fault'] === 'yes') throw new Error('not you')
}

async function start(
  t: TestContext,
  options: WebsocketLifecycleOptions,
  preHandler: (request: FastifyRequest) => Promise<void> = dawdle,
): Promise<Crowd> {
  const most = new Map<string, number>()
  const noteOpen = (key: string, isCounted: (request: FastifyRequest) => boolean): void => {
    let open = 0
    for (const { request, readyState, CLOSED } of app.websocketLifecycle.connections) {
      if (readyState !== CLOSED && isCounted(request)) open++
    }
    most.set(key, Math.max(most.get(key) ?? 0, open))
  }
  const app = await serve(t, {
    clock: new FakeClock(),
    options: { keepalive: false, ...options },
    routes: (app) => {
      app.addHook('onRequest', dawdle)
      app.get('/', { websocket: true, preHandler }, (_socket, request) => {
        noteOpen('all', () => true)
        const own = keyOf(request)
        noteOpen(own, (other) => keyOf(other) === own)
      })
    },
  })
  return { app, most }
}

/** Connects so many, then lets all ask at once. @returns those that got in, and how often each status came */
async function rush(
  app: FastifyInstance,
  attempts: number,
  keys: number,
): Promise<{ inside: RawPeer[]; statuses: Record<number, number> }> {
  const port = portOf(app)
  let accepted = 0
  const onConnection = (): void => void accepted++
  app.server.on('connection', onConnection)
  const peers: RawPeer[] = []
  while (peers.length < attempts) {
    const batch = Array.from({ length: BATCH }, () => RawPeer.dialWith(port, ''))
    peers.push(...(await Promise.all(batch)))
    await until(() => accepted === peers.length)
  }
  app.server.off('connection', onConnection)
  const answers = peers.map(async (peer, number) => {
    const headers = {
      'x-number': `${number}`,
      'x-key': `key ${number % keys}`,
      origin: originOf(port),
    }
    peer.send(Buffer.from(RawPeer.handshake(port, '/', headers)))
    return parseAnswer(await peer.answer())
  })
  const inside: RawPeer[] = []
  const statuses: Record<number, number> = {}
  for (const [i, { status, headers }] of (
    await within(Promise.all(answers), 'all answers', 60_000)
  ).entries()) {
    statuses[status] = (statuses[status] ?? 0) + 1
    if (status === 101) inside.push(peers[i] as RawPeer)
    else assert.equal(headers['retry-after'], '5')
  }
  return { inside, statuses }
}

async function leave(app: FastifyInstance, peers: readonly RawPeer[]): Promise<void> {
  for (const [i, peer] of peers.entries()) {
    if (i % 3 === 0) peer.reset()
    else if (i % 3 === 1) peer.finish()
    else peer.send(RawPeer.closeFrame(1000))
  }
  await until(() => app.websocketLifecycle.stats().open === 0)
}

for (const [what, options] of Object.entries<WebsocketLifecycleOptions>({
  'async hooks': {},
  'async hooks behind an async origin': {
    allowedOrigins: async (_origin, request) => {
      await dawdle(request)
      return true
    },
  },
})) {
  test(`of ${ATTEMPTS} at once ${ROOM} get in, all others a 503: ${what}`, async (t) => {
    const { app, most } = await start(t, { ...options, maxConnections: ROOM })
    const { inside, statuses } = await rush(app, ATTEMPTS, 1)
    assert.deepEqual(statuses, { 101: ROOM, 503: ATTEMPTS - ROOM })
    assert.equal(most.get('all'), ROOM)
    const { open, opened, refused: counts } = app.websocketLifecycle.stats()
    assert.deepEqual([open, opened], [ROOM, ROOM])
    assert.deepEqual(counts, refused({ limit: ATTEMPTS - ROOM }))

    await leave(app, inside)
    const again = await rush(app, 3 * ROOM, 1)
    assert.deepEqual(again.statuses, { 101: ROOM, 503: 2 * ROOM })
    assert.equal(most.get('all'), ROOM)
    await leave(app, again.inside)
  })
}

test(`of ${ATTEMPTS} at once as many of each key get in as fit, all others a 429`, async (t) => {
  const keys = 20
  const max = ROOM / keys
  const { app, most } = await start(t, { maxConnectionsPerKey: { max, key: keyOf } })
  const { inside, statuses } = await rush(app, ATTEMPTS, keys)
  assert.deepEqual(statuses, { 101: ROOM, 429: ATTEMPTS - ROOM })
  assert.deepEqual(
    [...most.values()].toSorted((a, b) => b - a),
    [ROOM, ...Array.from({ length: keys }, () => max)],
  )
  assert.deepEqual(app.websocketLifecycle.stats().refused, refused({ key: ATTEMPTS - ROOM }))

  await leave(app, inside)
  const again = await rush(app, 3 * ROOM, keys)
  assert.deepEqual(again.statuses, { 101: ROOM, 429: 2 * ROOM })
  assert.deepEqual(
    [...most.values()].toSorted((a, b) => b - a),
    [ROOM, ...Array.from({ length: keys }, () => max)],
  )
  await leave(app, again.inside)
})

test('while many come and go, also in their hooks, no more are open than fit, and none is left', async (t) => {
  const [max, perKey] = [50, 5]
  const options = { maxConnections: max, maxConnectionsPerKey: { max: perKey, key: keyOf } }
  const { app, most } = await start(t, options, dawdleOrThrow)
  const inside: RawPeer[] = []
  const live = async (number: number): Promise<void> => {
    const peer = await RawPeer.dial(portOf(app), '/', {
      'x-number': `${number}`,
      'x-key': `key ${number % 15}`,
      'x-fault': number % 10 === 9 ? 'yes' : 'no',
    })
    const answer = peer.answer().catch(() => '')
    if (number % 4 === 0) {
      await turns(number % 9)
      peer.destroy()
    }
    if ((await answer).startsWith('HTTP/1.1 101')) inside.push(peer)
    else peer.destroy()
    // About as many leave as come.
    if (number % 2 === 0) inside.splice(number % (inside.length + 1), 1)[0]?.destroy()
  }
  let next = 0
  const worker = async (): Promise<void> => {
    while (next < ATTEMPTS / 2) await live(next++)
  }
  await within(Promise.all(Array.from({ length: BATCH }, worker)), 'the end of all', 60_000)
  for (const peer of inside) peer.destroy()
  await until(() => app.websocketLifecycle.connections.size === 0)
  for (const [key, count] of most) {
    assert.ok(count <= (key === 'all' ? max : perKey), `Of ${key} ${count} were open at once`)
  }
  const { opened, refused: counts } = app.websocketLifecycle.stats()
  assert.ok(opened > max && counts.limit > 0 && counts.key > 0, JSON.stringify(counts))

  const everybody = await rush(app, 4 * max, 15)
  assert.deepEqual(everybody.statuses, { 101: max, 503: 3 * max })
  await leave(app, everybody.inside)
  const few = await rush(app, 2 * max, 4)
  assert.equal(few.inside.length, 4 * perKey)
  await leave(app, few.inside)
})
