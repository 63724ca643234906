import assert from 'node:assert/strict'
import { test } from 'node:test'
import { resolvePluginOptions } from '../../lib/options/resolve.js'
import { OPCODE, RawPeer } from '../support/peers/raw-peer.js'
import { serveOne } from '../support/servers/server.js'

test('maxPayload that is undefined was not given', () => {
  const websocket = { maxPayload: undefined } as never
  assert.equal(resolvePluginOptions({ websocket }).websocket.maxPayload, 1024 * 1024)
})

for (const [name, of] of [
  ['maxPayload', 'bytes'],
  ['maxBufferedChunks', 'chunks'],
  ['maxFragments', 'fragments'],
] as const) {
  test(`a ${name} that ws would take for no limit is refused`, () => {
    for (const value of ['64kb', Number.NaN, -1, 1.5, 2 ** 31, Infinity, null]) {
      const websocket = { [name]: value } as never
      assert.throws(() => resolvePluginOptions({ websocket }), {
        code: 'FST_ERR_WSL_INVALID_OPTION',
        message: new RegExp(`Expected \`websocket\\.${name}\` to be a whole number of ${of}`),
      })
    }
    assert.equal(resolvePluginOptions({ websocket: { [name]: 0 } }).websocket[name], 0)
  })
}

test('a close reason that is no UTF-8 and was not validated is echoed, and harms nobody', async (t) => {
  const { port, nextSocket } = await serveOne(t, {
    options: { websocket: { skipUTF8Validation: true } },
  })
  const peer = await RawPeer.open(port)
  const socket = await nextSocket()
  const payload = Buffer.concat([Buffer.from([0x03, 0xe8]), Buffer.alloc(123, 0xff)])
  peer.send(RawPeer.frame(OPCODE.close, payload))
  const echo = await peer.nextOf(OPCODE.close)
  assert.equal(echo?.payload.readUInt16BE(0), 1000)
  assert.equal((await socket.closed).cause, 'client-close')
})
