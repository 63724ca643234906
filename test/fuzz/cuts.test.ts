// A line that breaks after each byte of what a client says: by a FIN, by a RST, and in silence.
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { nothingLeft } from '../../lib/testing/index.js'
import { OPCODE, RawPeer } from '../support/peers/raw-peer.js'
import { WirePeer } from '../support/peers/wire-peer.js'
import { Judges, ROUTES } from '../support/models/verdicts.js'
import { EchoServer } from '../support/servers/echo-routes.js'
import { delivered } from '../support/time/delivered.js'
import { watchUncaught } from '../support/time/uncaught.js'

const { bytes, closeFrame, deflated, frame } = RawPeer
const { continuation: MORE, text: TEXT, binary: BINARY, ping: PING } = OPCODE

/** Short, so that each byte can be cut. */
const STORIES = {
  'messages, whole and in parts': Buffer.concat([
    frame(TEXT, 'é'),
    frame(BINARY, Buffer.from([0])),
    frame(TEXT, '', false),
    frame(PING, 'p'),
    frame(MORE, '€'),
    closeFrame(4001, 'x'),
  ]),
  'a fault': Buffer.concat([frame(TEXT, 'a'), frame(TEXT, Buffer.from([0xc3])), frame(TEXT, 'b')]),
  'a length in eight bytes that is too much': Buffer.concat([
    frame(TEXT, 'a'),
    bytes(0x82, 'xy').subarray(0, 1),
    Buffer.from([0xff, 0, 0, 0, 0, 0, 1, 0, 1, 0, 0, 0, 0]),
  ]),
} as const
const PACKED = Buffer.concat([deflated('aaaaaaaa'), deflated('b'), closeFrame()])

for (const leave of ['fin', 'rst'] as const) {
  for (const [what, story] of Object.entries({ ...STORIES, 'compressed messages': PACKED })) {
    test(`${what}, cut after each byte by a ${leave}`, async (t) => {
      const errors = watchUncaught(t)
      const judges = await Judges.serve(t, story === PACKED)
      for (let length = 0; length <= story.length; length++) {
        await judges.judge({ bytes: story.subarray(0, length), packets: [], leave })
      }
      await judges.finish()
      await nothingLeft(judges.ours.app)
      assert.deepEqual(errors, [])
    })
  }
}

for (const route of ROUTES) {
  test(`those that fall silent within a frame all end with the app: ${route}`, async (t) => {
    const server = await EchoServer.serve(t, { closeTimeout: 100 })
    const story = Object.values(STORIES)[0] as Buffer
    // Without the close frame: that would be a goodbye.
    const length = story.length - closeFrame(4001, 'x').length
    const silent: WirePeer[] = []
    for (let cut = 0; cut <= length; cut++) {
      const peer = await WirePeer.open(server.port, EchoServer.path(route, String(cut)))
      await peer.write(story.subarray(0, cut))
      silent.push(peer)
    }
    await delivered()
    await server.app.close()
    for (const [cut] of silent.entries()) {
      const { cause, sent } = await server.of(EchoServer.path(route, String(cut))).end()
      assert.deepEqual([cause, sent?.code], ['shutdown', 1012], `after ${cut} bytes`)
    }
    await nothingLeft(server.app)
  })
}
