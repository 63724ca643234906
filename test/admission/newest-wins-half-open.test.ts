// `whenFull: 'replace'` where the old connection of a key seems to be dead: nobody waits for it.
import assert from 'node:assert/strict'
import { describe, test, type TestContext } from 'node:test'
import type { LifecycleSocket, WebsocketLifecycleOptions } from '../../lib/index.js'
import { gate } from '../support/time/gate.js'
import { rawOf } from '../support/servers/outbox.js'
import { allRead } from '../support/peers/exchange.js'
import { within } from '../support/time/bound.js'
import { turns } from '../support/time/fake-clock.js'
import { OPCODE, RawPeer } from '../support/peers/raw-peer.js'
import { until } from '../support/time/timed.js'
import type { Rival } from '../support/models/rival.js'
import { type Replacing, serveReplacing } from '../support/servers/replacing.js'

/** Somebody who answers nothing is there, and keepalive looks after them. */
const keepalive = { interval: 1_000, timeout: 10_000 } as const

async function pinged(
  t: TestContext,
  options: WebsocketLifecycleOptions = {},
): Promise<{ served: Replacing; first: Rival }> {
  const served = await serveReplacing(t, {
    options: { keepalive, closeTimeout: 60_000, handshakeTimeout: false, ...options },
  })
  const first = await served.enter({ isMute: true })
  return { served, first }
}

describe('a half-open connection of the key', () => {
  test('is cut off at once, if nothing has come since a ping; a peer that is there gets its 4409', async (t) => {
    const { served, first } = await pinged(t)
    await served.clock.advance(1_100)
    await served.enter()
    await within(first.peer.ended(), 'the end of the first')
    assert.deepEqual(first.told, ['open', '4409 replaced'])
    await until(() => served.closes.length > 0)
    const [close] = served.closes
    assert.deepEqual(
      [close?.cause, close?.expected, close?.retryable, close?.clean],
      ['replaced', true, false, false],
    )
    assert.deepEqual(close?.sent, { code: 4409, reason: 'replaced' })
  })

  test('is one that ends already, too', async (t) => {
    const { served, first } = await pinged(t)
    await served.clock.advance(1_100)
    for (const socket of served.app.websocketLifecycle.connections) socket.close(4000)
    await until(() => first.told.length === 2)
    await served.enter()
    assert.deepEqual(first.told, ['open', '4000'])
  })

  test('is not one whose answer comes with the next poll, nor one that has said something since', async (t) => {
    const { served, first } = await pinged(t)
    await served.clock.advance(1_100)
    const second = await served.dial()
    // What it says comes in while the server looks.
    const spoken = gate()
    served.app.server.once('upgrade', () => {
      first.peer.send(RawPeer.frame(OPCODE.text, 'I am here'))
      spoken.open()
    })
    await spoken.opened
    const [socket] = served.app.websocketLifecycle.connections
    await allRead(first.peer.socket, rawOf(socket as LifecycleSocket))
    await turns(12)
    assert.deepEqual(second.told, [])
    first.peer.send(RawPeer.closeFrame(4409, 'replaced'))
    await until(() => second.told.length > 0)
    assert.deepEqual(second.told, ['open'])
  })

  test('is not one that has not been pinged, nor any where keepalive is not to judge', async (t) => {
    const { served } = await pinged(t)
    await served.wait()
    const other = await pinged(t, { keepalive: { interval: 1_000, timeout: false } })
    await other.served.clock.advance(1_100)
    await other.served.wait()
  })

  test('is not one of which we do not read', async (t) => {
    const { served } = await pinged(t)
    for (const socket of served.app.websocketLifecycle.connections) socket.pause()
    await served.clock.advance(1_100)
    await served.wait()
  })
})
