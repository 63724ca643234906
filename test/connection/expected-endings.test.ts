// Which endings count as expected.
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { RawPeer } from '../support/peers/raw-peer.js'
import { connectOne } from '../support/servers/server.js'

const { bytes, closeFrame } = RawPeer

const LOST = [
  { what: 'a FIN', cause: 'connection-lost', end: (peer: RawPeer) => peer.finish() },
  { what: 'a RST', cause: 'connection-reset', end: (peer: RawPeer) => peer.reset() },
] as const

for (const { what, cause, end } of LOST) {
  test(`with 1006 in expectedCloseCodes ${what} is expected`, async (t) => {
    const { peer, socket, events } = await connectOne(t, { route: { expectedCloseCodes: [1006] } })
    end(peer)
    const close = await socket.closed
    assert.equal(close.cause, cause)
    assert.equal(close.expected, true)
    assert.deepEqual(events, ['abort', 'close', 'release'])
  })
}

test("a route's expectedCloseCodes replace the plugin's", async (t) => {
  const { peer, socket } = await connectOne(t, {
    options: { expectedCloseCodes: [1000, 4500] },
    route: { expectedCloseCodes: [4600] },
  })
  peer.send(closeFrame(4500))
  assert.equal((await socket.closed).expected, false)
})

test("the plugin's expectedCloseCodes hold where the route has none", async (t) => {
  const { peer, socket } = await connectOne(t, { options: { expectedCloseCodes: [4500] } })
  peer.send(closeFrame(4500))
  assert.equal((await socket.closed).expected, true)
})

test('an error stays unexpected, whatever codes are listed', async (t) => {
  const { peer, socket } = await connectOne(t, {
    route: { expectedCloseCodes: [1002, 1006, 1011] },
  })
  peer.send(bytes(0x83, 'x'))
  assert.equal((await socket.closed).expected, false)
})
