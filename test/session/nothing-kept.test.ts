import assert from 'node:assert/strict'
import { test } from 'node:test'
import { setFlagsFromString } from 'node:v8'
import { runInNewContext } from 'node:vm'
import type { WebSocket } from 'ws'
import { LinkPeer } from '../support/peers/link-peer.js'
import { serveSessions } from '../support/servers/with-sessions.js'
import { turns } from '../support/time/fake-clock.js'
import { until } from '../support/time/timed.js'

setFlagsFromString('--expose-gc')
const collect = runInNewContext('gc') as () => void

const CROWD = 10

test('while a session is away nothing is kept of its connection but the stream, for its request', async (t) => {
  const refs: Array<WeakRef<WebSocket>> = []
  const addresses: string[] = []
  const { app, url, sessions, noted } = await serveSessions(t, {
    route: { onClose: (_session, request) => void addresses.push(request.ip) },
  })
  app.websocketServer.on('connection', (socket) => void refs.push(new WeakRef(socket)))
  for (let i = 0; i < CROWD; i++) (await LinkPeer.confirmed(url)).cut()
  await noted('suspend', CROWD)
  assert.equal(refs.length, CROWD)
  const isLeft = (): boolean => refs.some((ref) => ref.deref() !== undefined)
  // Who has been looked at, as for what is on its way, is kept for the rest of that turn.
  await turns(1)
  await until(() => {
    collect()
    return !isLeft()
  })
  for (const session of sessions) {
    assert.equal(session.request.raw.socket.destroyed, true)
    session.close()
  }
  await noted('release', CROWD)
  assert.deepEqual(addresses, Array(CROWD).fill('127.0.0.1'))
})
