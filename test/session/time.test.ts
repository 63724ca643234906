import assert from 'node:assert/strict'
import { once } from 'node:events'
import { test } from 'node:test'
import { refusal } from '../support/peers/client.js'
import { LinkPeer } from '../support/peers/link-peer.js'
import { RawPeer } from '../support/peers/raw-peer.js'
import { serveSessions, WINDOW } from '../support/servers/with-sessions.js'
import { gate } from '../support/time/gate.js'
import { until } from '../support/time/timed.js'

test('idleTimeout stands still while the client is away, and goes on where it stood', async (t) => {
  const { clock, url, closes, noted } = await serveSessions(t, { route: { idleTimeout: 10_000 } })
  const first = await LinkPeer.confirmed(url)
  await clock.advance(6_000)
  first.cut()
  await noted('suspend')
  await clock.advance(30_000)
  const second = await LinkPeer.connect(url, { resume: first.resume(1, 0) })
  await clock.advance(2_000)
  assert.equal(closes.length, 0)
  await clock.advance(4_000)
  assert.equal(await second.closed, 'close 3008 idle-timeout')
  await noted('release')
  assert.equal(closes[0]?.cause, 'idle-timeout')
})

test('the welcome and confirmations are no activity', async (t) => {
  const { clock, url, noted, events } = await serveSessions(t, { route: { idleTimeout: 10_000 } })
  const peer = await LinkPeer.confirmed(url)
  for (let i = 0; i < 8; i++) {
    await clock.advance(1_000)
    peer.send('\0p')
    await peer.expect('a0')
  }
  await clock.advance(4_000)
  await noted('release')
  assert.equal(events.at(-2), 'close idle-timeout')
})

test('maxLifetime does not stand still while the client is away', async (t) => {
  const { clock, url, closes, noted } = await serveSessions(t, { route: { maxLifetime: 20_000 } })
  const peer = await LinkPeer.confirmed(url)
  peer.cut()
  await noted('suspend')
  await clock.advance(21_100)
  await noted('release')
  assert.deepEqual([closes[0]?.cause, closes[0]?.code], ['lifetime-expired', 1006])
})

test('maxLifetime counts from the first connection', async (t) => {
  const { clock, url, noted } = await serveSessions(t, { route: { maxLifetime: 20_000 } })
  const first = await LinkPeer.confirmed(url)
  await clock.advance(15_000)
  const second = await LinkPeer.connect(url, { resume: first.resume(1, 0) })
  await noted('resume')
  await clock.advance(6_100)
  assert.equal(await second.closed, 'close 1001 lifetime-expired')
})

test('credentials that expire while the client is away end the session, and the client is told', async (t) => {
  const { clock, url, closes, noted } = await serveSessions(t, {
    route: { expiresAt: () => clock.wall() + 5_000 },
  })
  const peer = await LinkPeer.confirmed(url)
  peer.cut()
  await noted('suspend')
  await clock.advance(6_100)
  await noted('release')
  assert.equal(closes[0]?.cause, 'auth-expired')
  const back = new LinkPeer(url, { resume: peer.resume(1, 0) })
  assert.equal(await back.closed, 'close 3000 auth-expired')
})

test('a resume asks expiresAt again, and the answer replaces the old one', async (t) => {
  const answers = [5_000, 50_000]
  const { clock, url, closes, noted } = await serveSessions(t, {
    route: { expiresAt: () => clock.wall() + (answers.shift() ?? 0) },
  })
  const first = await LinkPeer.confirmed(url)
  const second = await LinkPeer.connect(url, { resume: first.resume(1, 0) })
  await noted('resume')
  await clock.advance(40_000)
  assert.equal(closes.length, 0)
  await clock.advance(11_100)
  assert.equal(await second.closed, 'close 3000 auth-expired')
})

test('a resume whose credentials are over gets a 401, and the session stays suspended', async (t) => {
  const answers = [50_000, -1, 50_000]
  const { clock, url, sessions, noted } = await serveSessions(t, {
    route: { expiresAt: () => clock.wall() + (answers.shift() ?? 0) },
  })
  const first = await LinkPeer.confirmed(url)
  first.cut()
  await noted('suspend')
  const { token } = first.welcome
  const headers = { 'sec-websocket-protocol': `wsl.1, wsl.r.1.0.${token}` }
  assert.equal((await refusal(url, { headers })).status, 401)
  assert.equal(sessions[0]?.suspended, true)
  const again = await LinkPeer.connect(url, { resume: first.resume(2, 0) })
  assert.equal(again.welcome.isResumed, true)
})

test('expireAt() moves the moment, connected or away', async (t) => {
  const { clock, url, sessions, closes, noted } = await serveSessions(t)
  const peer = await LinkPeer.confirmed(url)
  sessions[0]?.expireAt(clock.wall() + 100_000)
  peer.cut()
  await noted('suspend')
  sessions[0]?.expireAt(new Date(clock.wall() + 5_000))
  assert.throws(() => sessions[0]?.expireAt(12), { code: 'FST_ERR_WSL_INVALID_OPTION' })
  await clock.advance(6_100)
  await noted('release')
  assert.equal(closes[0]?.cause, 'auth-expired')
})

for (const handshakeTimeout of [WINDOW * 3, false] as const) {
  test(`while a resume is being decided the window does not pass: ${handshakeTimeout}`, async (t) => {
    const [asked, hook] = [gate(), gate()]
    let isSlow = false
    const { clock, url, sessions, noted } = await serveSessions(t, {
      options: { keepalive: false, handshakeTimeout },
      routes: (app) => {
        app.addHook('preHandler', async () => {
          if (!isSlow) return
          asked.open()
          await hook.opened
        })
      },
    })
    const first = await LinkPeer.confirmed(url)
    first.cut()
    await noted('suspend')
    isSlow = true
    await clock.advance(WINDOW - 1_000)
    const back = new LinkPeer(url, { resume: first.resume(1, 0) })
    await asked.opened
    await clock.advance(WINDOW)
    assert.equal(sessions[0]?.suspended, true)
    hook.open()
    await back.expect('welcome')
    assert.equal(back.welcome.isResumed, true)
  })
}

test('attempts that overlap hold a session for one handshakeTimeout after its window, and not longer', async (t) => {
  const [handshakeTimeout, hook] = [20_000, gate()]
  let asking = 0
  const { clock, url, closes, noted } = await serveSessions(t, {
    options: { handshakeTimeout },
    routes: (app) => {
      app.addHook('preHandler', async (request) => {
        if (request.headers['x-slow'] === undefined) return
        asking++
        await hook.opened
      })
    },
  })
  const first = await LinkPeer.confirmed(url)
  first.cut()
  await noted('suspend')
  await clock.advance(WINDOW - 5_000)
  const attempts: LinkPeer[] = []
  const headers = { 'x-slow': '1' }
  for (let attempt = 1; attempt <= 3; attempt++) {
    attempts.push(new LinkPeer(url, { resume: first.resume(attempt, 0), headers }))
    await until(() => asking === attempt)
    await clock.advance(handshakeTimeout / 2 - 2_000)
  }
  assert.equal(closes.length, 0)
  await clock.advance(3_000)
  await noted('release')
  assert.equal(closes[0]?.cause, 'connection-reset')
  hook.open()
  await attempts[2]?.expect('welcome')
  assert.equal(attempts[2]?.welcome.isResumed, false)
})

test('an attempt that was refused holds the session no longer than its window', async (t) => {
  const { clock, url, closes, noted } = await serveSessions(t, {
    options: { handshakeTimeout: WINDOW },
    routes: (app) => {
      app.addHook('preHandler', async (request, reply) => {
        if (request.headers['x-user'] === 'banned') await reply.code(401).send()
      })
    },
  })
  const first = await LinkPeer.confirmed(url)
  first.cut()
  await noted('suspend')
  const { token } = first.welcome
  const headers = { 'sec-websocket-protocol': `wsl.1, wsl.r.1.0.${token}`, 'x-user': 'banned' }
  assert.equal((await refusal(url, { headers })).status, 401)
  await clock.advance(WINDOW + 1_000)
  await noted('release')
  assert.equal(closes[0]?.cause, 'connection-reset')
})

test('outbox.maxAge stands still while the client is away', async (t) => {
  const { clock, url, sessions, noted } = await serveSessions(t, {
    route: { outbox: { maxAge: 1_000 } },
  })
  const first = await LinkPeer.confirmed(url)
  first.cut()
  await noted('suspend')
  sessions[0]?.send('x'.repeat(500_000))
  await clock.advance(30_000)
  assert.equal(sessions[0]?.suspended, true)
  const second = await LinkPeer.connect(url, { resume: first.resume(1, 0) })
  await second.expect('x'.repeat(500_000))
})

test('outbox.maxAge ends the session of a client that is there and reads nothing', async (t) => {
  const { clock, url, events, sessions, closes, noted } = await serveSessions(t, {
    route: { outbox: { maxAge: 1_000 } },
  })
  const peer = await LinkPeer.confirmed(url)
  peer.raw.pause()
  sessions[0]?.send(Buffer.alloc(16 * 1_024 * 1_024))
  // What the kernel has taken excuses a reader for a while.
  await clock.advance(30_000)
  await noted('release')
  assert.deepEqual(events, ['handler', 'abort', 'close slow-consumer', 'release'])
  assert.deepEqual([closes[0]?.sent?.code, closes[0]?.unacknowledged], [1013, 1])
})

test('an attempt whose stream the app takes holds the session no longer than its window', async (t) => {
  const { clock, url, closes, noted } = await serveSessions(t, {
    options: { handshakeTimeout: WINDOW * 3 },
    routes: (app) => {
      app.addHook('preHandler', async (request, reply) => {
        if (request.headers['x-mine'] === undefined) return
        reply.hijack()
        request.raw.socket.write('HTTP/1.1 101 Switching Protocols\r\n\r\n')
      })
    },
  })
  const first = await LinkPeer.confirmed(url)
  first.cut()
  await noted('suspend')
  const { token } = first.welcome
  const tunnel = await RawPeer.dial(Number(new URL(url).port), '/ws/7', {
    'sec-websocket-protocol': `wsl.1, wsl.r.1.0.${token}`,
    'x-mine': '1',
  })
  t.after(() => tunnel.destroy())
  await once(tunnel.socket, 'data')
  await clock.advance(WINDOW + 1_000)
  await noted('release')
  assert.equal(tunnel.socket.destroyed, false)
  assert.equal(closes[0]?.cause, 'connection-reset')
})

test('idle time goes on where it stood also when a new connection replaces one that is there', async (t) => {
  const { clock, url, noted, events } = await serveSessions(t, { route: { idleTimeout: 10_000 } })
  const first = await LinkPeer.confirmed(url)
  await clock.advance(6_000)
  const second = await LinkPeer.connect(url, { resume: first.resume(1, 0) })
  await clock.advance(6_000)
  assert.equal(await second.closed, 'close 3008 idle-timeout')
  await noted('release')
  assert.equal(events.at(-2), 'close idle-timeout')
})

test('what the app has set with expireAt() holds over a resume, where the route has no expiresAt', async (t) => {
  const { clock, url, sessions } = await serveSessions(t)
  const first = await LinkPeer.confirmed(url)
  sessions[0]?.expireAt(clock.wall() + 5_000)
  const second = await LinkPeer.connect(url, { resume: first.resume(1, 0) })
  await clock.advance(6_100)
  assert.equal(await second.closed, 'close 3000 auth-expired')
})
