// On a route with `resume`: one client over several connections.
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { setImmediate as turn } from 'node:timers/promises'
import { LinkPeer } from '../support/peers/link-peer.js'
import { currentId, idOf, linksOf, spans, withSpans } from '../support/servers/spans.js'
import { serveSessions, type SessionSetup } from '../support/servers/with-sessions.js'

const name = (what: string): string => `WebSocket ${what} /ws/:room`

test('a session has an upgrade for each connection, and one end; a message is linked to the last upgrade', async (t) => {
  const current = new Map<string, string | undefined>()
  const see = async (place: string): Promise<void> => {
    await turn()
    current.set(place, currentId())
  }
  const setup: SessionSetup = {
    route: {
      onSuspend: async () => see('onSuspend'),
      onResume: async () => see('onResume'),
      onMessage: async (session, _request, message) => {
        await see(`message ${String(message)}`)
        session.send(message)
      },
      onClose: async () => see('onClose'),
    },
    handler: async () => see('handler'),
  }
  const { url, sessions } = await serveSessions(t, withSpans(setup))
  const first = await LinkPeer.confirmed(url)
  first.send('before')
  await spans.of(name('message'), 1)
  first.cut()
  const suspend = await spans.one(name('onSuspend'))
  const second = await LinkPeer.connect(url, { resume: first.resume(1, 0) })
  const resume = await spans.one(name('onResume'))
  second.send('after')
  const [before, after] = await spans.of(name('message'), 2)
  sessions[0]?.close(4000)
  await second.closed
  const end = await spans.one(name('end'))
  const close = await spans.one(name('onClose'))

  const upgrades = await spans.of('GET /ws/:room', 2)
  const [begun, resumed] = upgrades.map(idOf)
  assert.ok(before && after)
  assert.deepEqual(linksOf(before), [begun])
  assert.deepEqual(linksOf(suspend), [begun])
  assert.deepEqual(linksOf(resume), [resumed])
  assert.deepEqual(linksOf(after), [resumed])
  assert.deepEqual(linksOf(end), [resumed])
  assert.equal(close.parentSpanContext?.spanId, idOf(end))
  const ids = [...upgrades, before, after, end].map(
    ({ attributes }) => attributes['websocket.connection.id'],
  )
  assert.deepEqual(new Set(ids), new Set([sessions[0]?.id]))
  assert.deepEqual(
    [...current].filter(([place]) => place !== 'handler'),
    [
      ['message before', idOf(before)],
      ['onSuspend', idOf(suspend)],
      ['onResume', idOf(resume)],
      ['message after', idOf(after)],
      ['onClose', idOf(close)],
    ],
  )
  assert.equal(current.get('handler'), begun)
})
