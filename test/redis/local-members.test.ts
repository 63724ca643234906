import assert from 'node:assert/strict'
import { test } from 'node:test'
import { GroupMembers } from '../../lib/redis/local-members.js'
import { LinkPeer } from '../support/peers/link-peer.js'
import { OPCODE } from '../support/peers/raw-peer.js'
import { serveCrowd, texts } from '../support/servers/crowd.js'
import { serveSessions } from '../support/servers/with-sessions.js'
import { turns } from '../support/time/fake-clock.js'
import { until } from '../support/time/timed.js'

test('finds connections as describe() has them, and sends text and bytes', async (t) => {
  const { app, peers, sockets } = await serveCrowd(t, 2)
  const members = new GroupMembers(app.websocketLifecycle)
  const described = sockets.map((socket) => app.websocketLifecycle.describe(socket))
  assert.deepEqual(
    [...members.find('room')],
    described.map(({ id, openedAt }) => ({ id, route: '/', openedAt, suspended: false })),
  )
  assert.deepEqual([members.has('room'), members.has('empty')], [true, false])
  assert.deepEqual([...members.find('empty')], [])
  members.send('room', 'text')
  members.send('room', new Uint8Array([1, 255]))
  members.send('empty', 'nobody')
  for (const peer of peers) {
    const [text, bytes] = [await peer.next(), await peer.next()]
    assert.deepEqual([text?.opcode, text?.payload.toString()], [OPCODE.text, 'text'])
    assert.deepEqual([bytes?.opcode, [...(bytes?.payload ?? [])]], [OPCODE.binary, [1, 255]])
  }
})

test('closes 256 in a turn, all that were members at the call, behind what was sent to them', async (t) => {
  const { app, group, open, peers, sockets } = await serveCrowd(t, 300)
  const members = new GroupMembers(app.websocketLifecycle)
  members.send('room', 'last')
  const closing = members.close('room', 4001, 'over')
  assert.equal(group.size, 300 - 256)
  // One ends by itself before it has its turn: it is not closed by this.
  sockets[299]?.terminate()
  const late = await open()
  assert.equal(await closing, 299)
  assert.deepEqual([...group], [sockets[300]])
  late.destroy()
  for (const peer of [peers[0], peers[298]]) {
    assert.deepEqual(await texts(peer, 1), ['last'])
    const frame = await peer?.next()
    assert.deepEqual([frame?.opcode, frame?.payload.readUInt16BE()], [OPCODE.close, 4001])
  }
  await turns()
  assert.equal(await members.close('empty', 1000, ''), 0)
})

test('sessions are found and closed also while they are suspended', async (t) => {
  const { app, noted, sessions, url } = await serveSessions(t, { route: { groups: () => 'all' } })
  const members = new GroupMembers(app.websocketLifecycle)
  const away = await LinkPeer.confirmed(url)
  const here = await LinkPeer.confirmed(url)
  await until(() => sessions.length === 2)
  away.cut()
  await noted('suspend')
  assert.deepEqual(
    [...members.find('all')].map(({ id, suspended }) => [id, suspended]),
    [
      [sessions[0]?.id, true],
      [sessions[1]?.id, false],
    ],
  )
  assert.equal(await members.close('all', 4000, 'bye'), 2)
  assert.equal(members.has('all'), false)
  await here.expect('close 4000 bye')
})
