// What the server remembers of sessions that have ended, and for how long.
import assert from 'node:assert/strict'
import { test, type TestContext } from 'node:test'
import { Session } from '../../lib/session/session.js'
import { Sessions } from '../../lib/session/sessions.js'
import { LinkPeer } from '../support/peers/link-peer.js'
import { serveSessions, type WithSessions } from '../support/servers/with-sessions.js'

/** Looks into the server: whether it remembers its first session, which is away, and has been ended with 4001. */
async function endAway(
  t: TestContext,
  end: (served: WithSessions) => unknown,
): Promise<{ readonly served: WithSessions; readonly isRemembered: () => boolean }> {
  const ended = t.mock.method(Sessions.prototype, 'ended').mock
  const served = await serveSessions(t, {
    route: { onShutdown: (session) => session.close(4001) },
  })
  const peer = await LinkPeer.confirmed(served.url)
  peer.cut()
  await served.noted('suspend')
  await end(served)
  await served.noted('release')
  const isRemembered = (): boolean => {
    const [call] = ended.calls
    const [session] = call?.arguments ?? []
    assert.ok(call?.this instanceof Sessions && session instanceof Session)
    return call.this.findGrave(session.route, session.token) !== undefined
  }
  return { served, isRemembered }
}

test('a server that is closed remembers nobody', async (t) => {
  const { served, isRemembered } = await endAway(t, ({ sessions }) => sessions[0]?.close(4001))
  assert.equal(isRemembered(), true)
  await served.app.close()
  assert.equal(isRemembered(), false)
})

test('a server that drains remembers nobody who ends: nobody could ask', async (t) => {
  const { served, isRemembered } = await endAway(t, ({ app }) => app.websocketLifecycle.drain())
  assert.deepEqual(
    served.closes.map(({ cause }) => cause),
    ['server-close'],
  )
  assert.equal(isRemembered(), false)
})
