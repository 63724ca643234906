// Who asks for a session that is not his, or not any more: he gets another one or 4991, and it stays as it was.
import assert from 'node:assert/strict'
import { test, type TestContext } from 'node:test'
import { type Dial, LinkPeer } from '../support/peers/link-peer.js'
import { RawPeer } from '../support/peers/raw-peer.js'
import { delivered } from '../support/time/delivered.js'
import { turns } from '../support/time/fake-clock.js'
import { gate } from '../support/time/gate.js'
import {
  keyOf,
  serveSessions,
  type WithSessions,
  WINDOW,
} from '../support/servers/with-sessions.js'

/** The client that has the session: it has received 1 of 2 messages that the server has sent. */
const OWN: Dial = { protocols: ['chat'], headers: { 'x-user': 'ada' } }

interface Mismatch {
  readonly what: string
  readonly path?: string
  readonly dial?: (first: LinkPeer) => Dial
  readonly gets: 'a new session' | '4991'
}

const MISMATCHES: readonly Mismatch[] = [
  { what: 'another route', path: '/other/7', gets: 'a new session' },
  { what: 'another path of the same route', path: '/ws/8', gets: 'a new session' },
  { what: 'a longer path', path: '/ws/77', gets: 'a new session' },
  { what: 'another key', dial: () => ({ headers: { 'x-user': 'bob' } }), gets: 'a new session' },
  { what: 'nobody', dial: () => ({ headers: {} }), gets: 'a new session' },
  { what: 'another subprotocol', dial: () => ({ protocols: ['talk'] }), gets: '4991' },
  { what: 'no subprotocol', dial: () => ({ protocols: [] }), gets: '4991' },
  { what: 'an unknown token', dial: asking({ token: 'unknown' }), gets: 'a new session' },
  { what: 'a part of the token', dial: cutting(-1), gets: 'a new session' },
  { what: 'no attempt', dial: asking({ attempt: 0 }), gets: '4991' },
  { what: 'more than was sent', dial: asking({ received: 3 }), gets: '4991' },
  { what: 'less than was confirmed', dial: asking({ received: 0 }), gets: '4991' },
  { what: 'a malformed token', dial: offering('1.1.a+b'), gets: 'a new session' },
  { what: 'a long token', dial: offering(`1.1.${'x'.repeat(65)}`), gets: 'a new session' },
  {
    what: 'a malformed count',
    dial: offeringWith((token) => `1.-1.${token}`),
    gets: 'a new session',
  },
  {
    what: 'a malformed attempt',
    dial: offeringWith((token) => `x.1.${token}`),
    gets: 'a new session',
  },
  { what: 'no count', dial: offeringWith((token) => `1.${token}`), gets: 'a new session' },
  { what: 'the token alone', dial: offeringWith((token) => token), gets: 'a new session' },
  {
    what: 'two sessions at once',
    dial: (first) => ({
      raw: ['wsl.1.chat', ...[1, 2].map((n) => `wsl.r.${n}.1.${tokenOf(first)}`)],
    }),
    gets: 'a new session',
  },
]

function tokenOf(peer: LinkPeer): string {
  return peer.welcome.token
}

function asking(wrong: { token?: string; attempt?: number; received?: number }) {
  return (first: LinkPeer): Dial => ({ resume: { ...first.resume(1, 1), ...wrong } })
}

function cutting(end: number) {
  return (first: LinkPeer): Dial => ({
    resume: { ...first.resume(1, 1), token: tokenOf(first).slice(0, end) },
  })
}

function offering(request: string) {
  return offeringWith(() => request)
}

function offeringWith(requestOf: (token: string) => string) {
  return (first: LinkPeer): Dial => ({ raw: ['wsl.1.chat', `wsl.r.${requestOf(tokenOf(first))}`] })
}

interface Ours extends WithSessions {
  readonly first: LinkPeer
  readonly own: (attempt: number) => Dial
}

async function serveOne(t: TestContext): Promise<Ours> {
  const server = await serveSessions(t, {
    routes: (app) => {
      const resume = { key: keyOf, window: WINDOW }
      app.get('/other/:room', { websocket: true, resume }, () => {})
    },
  })
  const first = await LinkPeer.confirmed(server.url, OWN)
  server.sessions[0]?.send('a')
  server.sessions[0]?.send('b')
  await first.expect('a')
  await first.expect('b')
  first.ack(1)
  await first.roundTrip()
  return { ...server, first, own: (attempt) => ({ ...OWN, resume: first.resume(attempt, 1) }) }
}

/** The session is as before: its first attempt is taken, and all that it has is there. */
async function assertUntouched({ own, url, noted, sessions }: Ours): Promise<void> {
  const back = await LinkPeer.connect(url, own(1))
  assert.deepEqual([back.welcome.isResumed, back.welcome.received], [true, 0])
  await back.expect('b')
  back.send('up')
  await noted('message up')
  assert.equal(sessions[0]?.scope.signal.aborted, false)
}

async function assertMismatch(server: Ours, { path, dial, gets }: Mismatch): Promise<void> {
  const { app, first, own, port, url } = server
  const { sessions, opened } = app.websocketLifecycle.stats()
  const there = path === undefined ? url : `ws://127.0.0.1:${port}${path}`
  const other = new LinkPeer(there, { ...own(1), ...dial?.(first) })
  if (gets === '4991') {
    assert.equal(await other.closed, 'close 4991 stale')
    assert.deepEqual(other.frames, ['close 4991 stale'])
    assert.deepEqual(app.websocketLifecycle.stats().sessions, {
      ...sessions,
      stale: sessions.stale + 1,
    })
  } else {
    await other.expect('welcome')
    const { isResumed, received, token } = other.welcome
    assert.deepEqual([isResumed, received, token === tokenOf(first)], [false, 0, false])
    assert.equal(app.websocketLifecycle.stats().opened, opened + 1)
    other.ws.close(1000)
    await other.closed
  }
}

for (const mismatch of MISMATCHES) {
  test(`${mismatch.what} gets ${mismatch.gets}, and a session that waits stays as it was`, async (t) => {
    const server = await serveOne(t)
    server.first.cut()
    await server.noted('suspend')
    await assertMismatch(server, mismatch)
    assert.equal(server.sessions[0]?.suspended, true)
    await assertUntouched(server)
  })

  test(`${mismatch.what} gets ${mismatch.gets}, and a connected session stays as it was`, async (t) => {
    const server = await serveOne(t)
    const { events, first } = server
    await assertMismatch(server, mismatch)
    assert.equal(server.sessions[0]?.suspended, false)
    first.send('\0p')
    await first.expect('a0')
    assert.ok(!events.includes('suspend connection-lost'))
    await assertUntouched(server)
  })
}

test('another query is no other path: the session goes on', async (t) => {
  const server = await serveOne(t)
  const back = await LinkPeer.connect(`${server.url}?ticket=2`, server.own(1))
  assert.equal(back.welcome.isResumed, true)
})

test('an attempt that was taken, and an older one, are turned back; the newer connection stays', async (t) => {
  const { app, events, noted, own, url } = await serveOne(t)
  const second = await LinkPeer.connect(url, own(5))
  for (const attempt of [5, 4, 1]) {
    const stale = new LinkPeer(url, own(attempt))
    assert.equal(await stale.closed, 'close 4991 stale', `${attempt}`)
  }
  second.send('still here')
  await noted('message still here')
  assert.equal(events.filter((event) => event.startsWith('suspend')).length, 1)
  const { resumed, stale } = app.websocketLifecycle.stats().sessions
  assert.deepEqual([resumed, stale], [1, 3])
})

for (const [what, resumed] of [
  ['a request to resume without the link', (token: string) => `chat, wsl.r.1.1.${token}`],
  ['a request to resume alone', (token: string) => `wsl.r.1.1.${token}`],
] as const) {
  test(`${what} is a plain client's, and the session stays as it was`, async (t) => {
    const server = await serveOne(t)
    const offer = resumed(tokenOf(server.first))
    const headers = { 'x-user': 'ada', 'sec-websocket-protocol': offer }
    const plain = await RawPeer.dial(server.port, '/ws/7', headers)
    const answer = await plain.answer()
    assert.ok(answer.startsWith('HTTP/1.1 101'), answer)
    assert.ok(!answer.includes('wsl.'), answer)
    plain.send(RawPeer.closeFrame(1000))
    assert.equal((await plain.next())?.payload.readUInt16BE(), 1000, 'no control frame')
    // Its own session ends with it.
    await server.noted('close client-close')
    await assertUntouched(server)
  })
}

test('a resume that a hook refuses, or that leaves while a hook runs, takes nothing over', async (t) => {
  let isRefusing = false
  const left = gate()
  const server = await serveSessions(t, {
    before: (app) => {
      app.addHook('preHandler', async (request, reply) => {
        if (isRefusing) return reply.code(401).send()
        if (request.url.endsWith('?wait')) await left.opened
        return undefined
      })
    },
  })
  const first = await LinkPeer.confirmed(server.url)
  isRefusing = true
  const refused = new LinkPeer(server.url, { resume: first.resume(1, 0) })
  assert.equal(await refused.closed, 'close 1006')
  isRefusing = false
  const gone = await RawPeer.dial(server.port, '/ws/7?wait', {
    'sec-websocket-protocol': `wsl.1, wsl.r.2.0.${tokenOf(first)}`,
  })
  gone.reset()
  await delivered()
  left.open()
  await turns()
  first.send('\0p')
  await first.expect('a0')
  assert.deepEqual(server.events, ['handler'])
  const second = await LinkPeer.connect(server.url, { resume: first.resume(1, 0) })
  assert.equal(second.welcome.isResumed, true)
})
