// `binaryType = 'blob'` is for plain listeners; test/odd-messages.test.ts has what onMessage and messages() give.
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { roundTrip } from '../support/peers/exchange.js'
import { turns } from '../support/time/fake-clock.js'
import { gate } from '../support/time/gate.js'
import { OPCODE, RawPeer } from '../support/peers/raw-peer.js'
import { connectOne, type OneRoute } from '../support/servers/server.js'
import { until } from '../support/time/timed.js'

const { closeFrame, frame } = RawPeer

/** Text, one binary message in two parts, one without a byte. */
const SENT = [
  frame(OPCODE.text, 'text'),
  frame(OPCODE.binary, 'two ', false),
  frame(OPCODE.continuation, 'parts'),
  frame(OPCODE.binary),
]
const HEARD = ['string text', 'blob two parts', 'blob ']

async function told(data: unknown): Promise<string> {
  return data instanceof Blob ? `blob ${await data.text()}` : `string ${String(data)}`
}

const READERS: Readonly<Record<string, OneRoute>> = {
  'alone on its route': {},
  'beside onMessage': { route: { onMessage: () => turns(2) } },
  'beside a loop': {
    handler: async (socket) => {
      for await (const _ of socket.messages()) await turns(2)
    },
  },
}

for (const [where, setup] of Object.entries(READERS)) {
  test(`a plain listener ${where} gets Blobs where it asks for them, and text as ever`, async (t) => {
    const heard: Array<Promise<string>> = []
    const { peer, socket } = await connectOne(t, {
      ...setup,
      handler: (socket) => {
        Reflect.set(socket, 'binaryType', 'blob')
        assert.equal(socket.binaryType, 'blob')
        socket.on('message', (data: unknown) => heard.push(told(data)))
        return setup.handler?.(socket)
      },
    })
    peer.send(...SENT, closeFrame(1000))
    await socket.closed
    assert.deepEqual(await Promise.all(heard), HEARD)
  })
}

test('a plain listener that comes late gets Blobs of what has waited for it', async (t) => {
  const loaded = gate()
  const heard: Array<Promise<string>> = []
  const { peer, socket } = await connectOne(t, {
    handler: async (socket) => {
      Reflect.set(socket, 'binaryType', 'blob')
      await loaded.opened
      socket.on('message', (data: unknown) => heard.push(told(data)))
    },
  })
  peer.send(...SENT)
  await roundTrip(peer)
  loaded.open()
  await until(() => heard.length === HEARD.length)
  assert.deepEqual(await Promise.all(heard), HEARD)
  assert.equal(socket.request.server.websocketLifecycle.stats().dropped, 0)
})

test('binaryType can be set anew, and what ws does not know is ignored, as in ws', async (t) => {
  const heard: unknown[] = []
  const { peer, socket } = await connectOne(t, {
    handler: (socket) => socket.on('message', (data: unknown) => heard.push(data)),
  })
  socket.binaryType = 'fragments'
  Reflect.set(socket, 'binaryType', 'blob')
  Reflect.set(socket, 'binaryType', 'bulb')
  assert.equal(socket.binaryType, 'blob')
  socket.binaryType = 'fragments'
  peer.send(frame(OPCODE.binary, 'parts'))
  await until(() => heard.length === 1)
  socket.binaryType = 'nodebuffer'
  peer.send(frame(OPCODE.binary, 'one'))
  await until(() => heard.length === 2)
  assert.deepEqual(heard, [[Buffer.from('parts')], Buffer.from('one')])
})
