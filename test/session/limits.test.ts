import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { FastifyRequest } from 'fastify'
import { refusal } from '../support/peers/client.js'
import { LinkPeer } from '../support/peers/link-peer.js'
import { serveSessions, WINDOW } from '../support/servers/with-sessions.js'
import { turns } from '../support/time/fake-clock.js'
import { gate } from '../support/time/gate.js'

test('a session that is away makes nobody be refused: the longest suspended one ends', async (t) => {
  const { app, url, closes, sessions, noted } = await serveSessions(t, {
    route: { maxConnections: 2 },
  })
  const peers = [await LinkPeer.confirmed(url), await LinkPeer.confirmed(url)]
  for (const [index, peer] of peers.entries()) {
    peer.cut()
    await noted('suspend', index + 1)
  }
  await LinkPeer.confirmed(url)
  await noted('release')
  assert.deepEqual([sessions[0]?.suspended, sessions[1]?.suspended], [false, true])
  assert.equal(closes[0]?.cause, 'connection-reset')
  const { sessions: counts, refused } = app.websocketLifecycle.stats()
  assert.deepEqual([counts.displaced, counts.suspended, counts.connected], [1, 1, 1])
  assert.equal(refused.limit, 0)
})

function isStranger({ headers }: FastifyRequest): boolean {
  return headers['x-user'] === undefined
}

test('at the limit an upgrade that a hook refuses later may have ended a session that is away', async (t) => {
  const { url, sessions, noted } = await serveSessions(t, {
    route: { maxConnections: 1 },
    before: (app) => {
      app.addHook('onRequest', async (request) => {
        if (request.headers['x-early'] === '1' && isStranger(request)) throw new Error('early')
      })
    },
    routes: (app) => {
      app.addHook('onRequest', async (request, reply) => {
        if (isStranger(request)) await reply.code(401).send()
      })
    },
  })
  const peer = await LinkPeer.confirmed(url, { headers: { 'x-user': 'ada' } })
  peer.cut()
  await noted('suspend')
  assert.equal((await refusal(url, { headers: { 'x-early': '1' } })).status, 500)
  assert.equal(sessions[0]?.suspended, true)
  assert.equal((await refusal(url)).status, 401)
  assert.equal(sessions[0]?.suspended, false)
})

test('sessions that are there are not displaced: at the limit the next one is refused', async (t) => {
  const { url } = await serveSessions(t, { route: { maxConnections: 1 } })
  const peer = await LinkPeer.confirmed(url)
  assert.equal((await refusal(url)).status, 503)
  const again = await LinkPeer.connect(url, { resume: peer.resume(1, 0) })
  assert.equal(again.welcome.isResumed, true)
  assert.equal((await refusal(url)).status, 503)
})

test('a resume takes no place: it works at the limit, and its place is given back once', async (t) => {
  const { url, noted } = await serveSessions(t, { route: { maxConnections: 1 } })
  const first = await LinkPeer.confirmed(url)
  first.cut()
  await noted('suspend')
  const second = await LinkPeer.connect(url, { resume: first.resume(1, 0) })
  assert.equal((await refusal(url)).status, 503)
  second.ws.close(1000)
  await noted('release')
  await LinkPeer.confirmed(url)
  assert.equal((await refusal(url)).status, 503)
})

test('a session of another key is begun anew, limits included', async (t) => {
  const { url } = await serveSessions(t, { route: { maxConnections: 1 } })
  const ada = await LinkPeer.confirmed(url, { headers: { 'x-user': 'ada' } })
  const eve = new LinkPeer(url, { resume: ada.resume(1, 0), headers: { 'x-user': 'eve' } })
  assert.equal(await eve.closed, 'close 1006')
})

test('per key: where the newest win, one that is away gives way before one that is there', async (t) => {
  const { url, closes, noted, sessions } = await serveSessions(t, {
    route: { maxConnectionsPerKey: { max: 2, whenFull: 'replace' } },
  })
  const [first, second] = [await LinkPeer.confirmed(url), await LinkPeer.confirmed(url)]
  second.cut()
  await noted('suspend')
  await LinkPeer.confirmed(url)
  await noted('release')
  assert.deepEqual(
    closes.map(({ cause }) => cause),
    ['connection-reset'],
  )
  const third = await LinkPeer.confirmed(url)
  assert.equal(await first.closed, 'close 4409 replaced')
  await noted('release', 2)
  assert.equal(closes[1]?.cause, 'replaced')
  sessions[3]?.send('here')
  await third.expect('here')
})

test('per key: where the newest are refused, one that is away gives way', async (t) => {
  const { url, noted } = await serveSessions(t, { route: { maxConnectionsPerKey: { max: 1 } } })
  const first = await LinkPeer.confirmed(url)
  assert.equal((await refusal(url)).status, 429)
  first.cut()
  await noted('suspend')
  await LinkPeer.confirmed(url)
  assert.equal((await refusal(url)).status, 429)
})

test('maxBytes bounds what all suspended sessions of a route keep', async (t) => {
  const { app, url, sessions, noted } = await serveSessions(t, {
    route: { resume: { key: () => null, window: WINDOW, maxBytes: 2 * 8 * 1024 + 1_128 } },
  })
  for (let count = 1; count <= 2; count++) {
    const peer = await LinkPeer.confirmed(url)
    peer.cut()
    await noted('suspend', count)
  }
  sessions[1]?.send('x'.repeat(1_000))
  assert.deepEqual([sessions[0]?.suspended, sessions[1]?.suspended], [true, true])
  sessions[1]?.send('y')
  assert.deepEqual([sessions[0]?.suspended, sessions[1]?.suspended], [false, true])
  const third = await LinkPeer.confirmed(url)
  sessions[2]?.send('z'.repeat(8 * 1_024))
  third.cut()
  await noted('suspend', 3)
  assert.deepEqual([sessions[1]?.suspended, sessions[2]?.suspended], [false, true])
  assert.equal(app.websocketLifecycle.stats().sessions.displaced, 2)
})

test('maxBytes counts what empty messages take: those from before, and those that follow', async (t) => {
  const [each, message] = [8 * 1_024, 128]
  const { url, sessions, noted } = await serveSessions(t, {
    route: { resume: { key: () => null, window: WINDOW, maxBytes: 2 * each + 3 * message } },
  })
  const first = await LinkPeer.confirmed(url)
  sessions[0]?.send('')
  first.cut()
  await noted('suspend')
  const second = await LinkPeer.confirmed(url)
  for (let i = 0; i < 2; i++) sessions[1]?.send('')
  second.cut()
  await noted('suspend', 2)
  assert.deepEqual([sessions[0]?.suspended, sessions[1]?.suspended], [true, true])
  sessions[1]?.send('')
  assert.deepEqual([sessions[0]?.suspended, sessions[1]?.suspended], [false, true])
})

test('maxBytes does not count a session that has come back', async (t) => {
  const { url, sessions, noted } = await serveSessions(t, {
    route: { resume: { key: () => null, window: WINDOW, maxBytes: 12 * 1_024 } },
  })
  const first = await LinkPeer.confirmed(url)
  first.cut()
  await noted('suspend')
  const second = await LinkPeer.connect(url, { resume: first.resume(1, 0) })
  second.cut()
  await noted('suspend', 2)
  assert.equal(sessions[0]?.suspended, true)
})

test('a session that has come back does not stand before those that are away', async (t) => {
  const { app, url, sessions, noted } = await serveSessions(t, { route: { maxConnections: 2 } })
  const [first, away] = [await LinkPeer.confirmed(url), await LinkPeer.confirmed(url)]
  first.cut()
  await noted('suspend')
  await LinkPeer.connect(url, { resume: first.resume(1, 0) })
  away.cut()
  await noted('suspend', 2)
  await LinkPeer.confirmed(url)
  await noted('release')
  assert.equal(sessions[1]?.suspended, false)
  assert.equal(app.websocketLifecycle.stats().sessions.connected, 2)
})

test('messageRate forgives one window at most, however long the client was silent', async (t) => {
  const { clock, url, events, noted } = await serveSessions(t, {
    route: {
      messageRate: { max: 1, window: 1_000 },
      resume: { key: () => null, window: 5_000 },
    },
  })
  const first = await LinkPeer.confirmed(url)
  await clock.advance(60_000)
  const second = await LinkPeer.connect(url, { resume: first.resume(1, 0) })
  for (let i = 0; i < 6; i++) second.send('kept')
  await noted('message', 6)
  second.send('too many')
  await noted('release')
  assert.equal(events.at(-2), 'close rate-limited')
})

test('messageRate forgives the time away, so that a client may send what it kept', async (t) => {
  const { clock, url, events, noted } = await serveSessions(t, {
    route: { messageRate: { max: 5, window: 1_000 } },
  })
  const first = await LinkPeer.confirmed(url)
  first.cut()
  await noted('suspend')
  await clock.advance(3_000)
  const second = await LinkPeer.connect(url, { resume: first.resume(1, 0) })
  for (let i = 0; i < 15; i++) second.send('kept')
  await noted('message', 15)
  for (let i = 0; i < 15; i++) second.send('too many')
  await noted('release')
  assert.equal(events.at(-2), 'close rate-limited')
})

test('control frames count for messageRate, but for confirmations of something new', async (t) => {
  const { url, sessions, noted, closes } = await serveSessions(t, {
    route: { messageRate: { max: 3, window: 1_000 } },
  })
  const free = await LinkPeer.confirmed(url)
  for (let i = 1; i <= 10; i++) {
    sessions[0]?.send('x')
    await free.expect('x')
    free.ack(i)
  }
  await free.roundTrip()
  for (const frame of ['\0p', '\0z', '\0a10']) free.send(frame)
  await free.roundTrip()
  assert.equal(closes.length, 0)
  free.send('\0p')
  await noted('release')
  assert.equal(closes[0]?.cause, 'rate-limited')
})

test('messageRate forgives the time in which a full inbox was not read', async (t) => {
  const first = gate()
  const { clock, url, noted, closes } = await serveSessions(t, {
    route: {
      messageRate: { max: 4, window: 1_000 },
      inbox: { maxMessages: 2 },
      onMessage: () => first.opened,
    },
  })
  const peer = await LinkPeer.confirmed(url)
  for (let i = 0; i < 4; i++) peer.send(`${i}`)
  await turns(20)
  await clock.advance(3_000)
  for (let i = 0; i < 8; i++) peer.send(`${i}`)
  first.open()
  await peer.roundTrip()
  assert.equal(closes.length, 0)
  peer.ws.close(1000)
  await noted('close client-close')
})
