// What the reports make of sessions, whose connections are lost and come back.
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { LinkPeer } from '../support/peers/link-peer.js'
import { hear } from '../support/servers/hear.js'
import { serveSessions, WINDOW } from '../support/servers/with-sessions.js'

const COUNT = 100

test('sessions that all lose their connection are a storm, and so are those that do not come back', async (t) => {
  const heard = hear(t, 'diagnosis.storm')
  const { clock, url, noted } = await serveSessions(t)
  const peers = await Promise.all(
    Array.from({ length: COUNT }, async () => LinkPeer.confirmed(url)),
  )
  for (const peer of peers) peer.cut()
  await noted('suspend', COUNT)
  await clock.advance(WINDOW + 1_000)
  await noted('close', COUNT)
  assert.deepEqual(
    heard.of('diagnosis.storm').map(({ phase, count, routes }) => [phase, count, routes]),
    [
      ['begun', COUNT, { '/ws/:room': COUNT }],
      ['over', COUNT, { '/ws/:room': COUNT }],
      ['begun', COUNT, { '/ws/:room': COUNT }],
    ],
  )
})

for (const [what, isCut] of [
  ['that are lost after the same silence show a timeout', true],
  ['that we let go, because their client has a new one, show none', false],
] as const) {
  test(`connections of sessions ${what}`, async (t) => {
    const heard = hear(t, 'diagnosis.idle-timeout')
    const { clock, url, noted } = await serveSessions(t)
    const first = await LinkPeer.confirmed(url)
    let current = first
    for (let attempt = 1; attempt <= 14; attempt++) {
      await clock.advance(30_000)
      if (isCut) {
        current.cut()
        await noted('suspend', attempt)
      }
      const before = current
      current = await LinkPeer.connect(url, { resume: first.resume(attempt, 0) })
      await before.closed
    }
    assert.deepEqual(
      heard.of('diagnosis.idle-timeout').map(({ silent, interval }) => [silent, interval]),
      isCut ? [['both', 22_000]] : [],
    )
    current.cut()
  })
}
