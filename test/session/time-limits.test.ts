import assert from 'node:assert/strict'
import { test } from 'node:test'
import { LinkPeer } from '../support/peers/link-peer.js'
import { serveSessions } from '../support/servers/with-sessions.js'
import { FakeClock } from '../support/time/fake-clock.js'

for (const [limit, cause, code] of [
  [{ idleTimeout: 60_000 }, 'idle-timeout', 3008],
  [{ maxLifetime: 60_000 }, 'lifetime-expired', 1001],
  [{ expiresAt: () => new FakeClock().wall() + 60_000 }, 'auth-expired', 3000],
] as const) {
  test(`a client that speaks the link is let in on a route with a limit of time: ${cause}`, async (t) => {
    const { clock, url, noted, closes } = await serveSessions(t, {
      route: limit,
      routes: (app) => void app.get('/plain', { websocket: true, ...limit }, () => {}),
    })
    const plain = await LinkPeer.confirmed(url.replace('/ws/7', '/plain'))
    const peer = await LinkPeer.confirmed(url)
    await clock.advance(70_000)
    assert.equal(await plain.closed, `close ${code} ${cause}`)
    assert.equal(await peer.closed, `close ${code} ${cause}`)
    await noted('close')
    assert.equal(closes[0]?.cause, cause)
  })
}
