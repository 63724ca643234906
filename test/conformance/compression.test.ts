// The cases of Autobahn's TestSuite about permessage-deflate.
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { RSV1 } from '../../lib/core/frame.js'
import { nothingLeft } from '../../lib/testing/index.js'
import { Deflater } from '../support/peers/deflater.js'
import { WirePeer } from '../support/peers/wire-peer.js'
import { ECHO_ROUTES, type EchoRoute, EchoServer } from '../support/servers/echo-routes.js'
import { closeFrame, fragments, OPCODE } from './cases/case.js'
import { COMPRESSION, type CompressedCase, MESSAGES } from './cases/compression.js'
import { naming } from './cases/run-case.js'

/** All is compressed, however short. */
const COMPRESSING = { websocket: { perMessageDeflate: { threshold: 0 } } }

for (const route of ECHO_ROUTES) {
  test(`${COMPRESSION.length} cases on the route ${route}`, async (t) => {
    const server = await EchoServer.serve(t, COMPRESSING)
    for (const each of COMPRESSION) {
      await naming(each, () => run(server, route, each))
      server.forget()
    }
    await nothingLeft(server.app)
  })
}

async function run(server: EchoServer, route: EchoRoute, it: CompressedCase): Promise<void> {
  const path = EchoServer.path(route, it.number)
  const headers = { 'sec-websocket-extensions': it.offer }
  const peer = await WirePeer.open(server.port, path, headers)
  const deflater = new Deflater(peer.head)
  assert.deepEqual(deflater.promised, it.asked)
  const opcode = it.content.isText ? OPCODE.text : OPCODE.binary
  for (let count = 0; count < MESSAGES; count++) {
    const payload = messageOf(it, count)
    await peer.write(compressed(opcode, deflater.deflate(payload), it.part))
    await peer.came(count + 1)
    const echo = peer.frames[count]
    assert.deepEqual([echo?.opcode, echo?.isLast, echo?.isCompressed], [opcode, true, true])
    assert.ok(deflater.inflate(echo?.payload as Buffer).equals(payload), `message ${count + 1}`)
  }
  await peer.write(closeFrame(1000))
  peer.socket.end()
  await peer.ended()
  const { cause, code, clean } = await server.of(path).end()
  assert.deepEqual([cause, code, clean], ['client-close', 1000, true])
  assert.equal(peer.frames.length, MESSAGES + 1)
}

/** The next bytes of the content, which begins anew where it ends. */
function messageOf({ content, length }: CompressedCase, count: number): Buffer {
  const from = (count * length) % content.bytes.length
  const first = content.bytes.subarray(from, from + length)
  return Buffer.concat([first, content.bytes.subarray(0, length - first.length)])
}

/** Only the first frame of a message says that it is compressed (RFC 7692 §6.1). */
function compressed(opcode: number, bytes: Buffer, part: number): Buffer {
  const frames = fragments(opcode, bytes, part)
  frames[0] = Number(frames[0]) | RSV1
  return frames
}
