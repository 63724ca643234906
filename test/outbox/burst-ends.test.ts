// What was held back, and what is sent, where a connection or its stream ends.
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { WebSocket } from 'ws'
import type { LifecycleSocket } from '../../lib/index.js'
import { turns } from '../support/time/fake-clock.js'
import { rawOf } from '../support/servers/outbox.js'
import { OPCODE, RawPeer } from '../support/peers/raw-peer.js'
import { connectOne, serveOne } from '../support/servers/server.js'
import { DIFFERS_OVER_TLS } from '../support/servers/tls-pass.js'
import { numbers, take } from '../support/peers/taken.js'

const { frame } = RawPeer

test('where an app ends the stream beneath a burst, what was held is lost, and harms nobody', async (t) => {
  const { port, nextSocket } = await serveOne(t)
  const peers = [await RawPeer.open(port)]
  const ended = await nextSocket()
  peers.push(await RawPeer.open(port))
  const destroyed = await nextSocket()
  peers.push(await RawPeer.open(port))
  const socket = await nextSocket()
  await turns(3)
  numbers(5).forEach((i) => ended.send(i))
  rawOf(ended).end()
  numbers(5).forEach((i) => destroyed.send(i))
  rawOf(destroyed).destroy()
  numbers(5).forEach((i) => socket.send(i))
  for (const [i, count] of [1, 1, 5].entries()) {
    assert.deepEqual(await take(peers[i] as RawPeer, count), numbers(count))
  }
  assert.equal(ended.bufferedAmount, 0)
  peers[0]?.finish()
  assert.equal((await ended.closed).cause, 'connection-lost')
  assert.equal((await destroyed.closed).cause, 'connection-lost')
  assert.equal(socket.readyState, WebSocket.OPEN)
})

interface Last {
  readonly how: string
  readonly end: (socket: LifecycleSocket, peer: RawPeer) => unknown
  readonly code?: number
}

const LASTS: readonly Last[] = [
  { how: 'close()', end: (socket) => socket.close(4000), code: 4000 },
  { how: 'terminate()', end: (socket) => socket.terminate() },
  {
    how: 'an error',
    code: 1011,
    end: (socket) => socket.emit('error', new Error('on purpose')),
  },
]

for (const { how, end, code } of LASTS) {
  test(
    `${how} lets go what is held back, and the peer gets it`,
    { skip: DIFFERS_OVER_TLS.told },
    async (t) => {
      const { peer, socket } = await connectOne(t)
      const raw = rawOf(socket)
      let heldAtAbort = -1
      const held = (): number => socket.bufferedAmount + raw.writableLength
      socket.scope.signal.addEventListener('abort', () => (heldAtAbort = held()))
      numbers(20).forEach((i) => socket.send(i))
      assert.ok(raw.writableCorked > 0 && held() > 0)
      end(socket, peer)
      assert.equal(raw.writableCorked, 0)
      assert.equal(held(), 0)
      await Promise.resolve()
      await Promise.resolve()
      assert.equal(heldAtAbort, 0)
      const goodbye = code === undefined ? [] : [`close ${code}`]
      assert.deepEqual(await take(peer, 20 + goodbye.length), [...numbers(20), ...goodbye])
    },
  )
}

test('a listener that throws behind a burst leaves nothing held back', async (t) => {
  const { peer, socket } = await connectOne(t, {
    handler: (socket) => {
      socket.on('message', () => {
        numbers(10).forEach((i) => socket.send(i))
        throw new Error('on purpose')
      })
    },
  })
  peer.send(frame(OPCODE.text, 'burst'))
  assert.deepEqual(await take(peer, 11), [...numbers(10), 'close 1011'])
  assert.equal(rawOf(socket).writableCorked, 0)
})

test('what is sent after an app has ended the stream itself ends the connection, as in ws', async (t) => {
  const { socket } = await connectOne(t)
  await turns(3)
  rawOf(socket).end()
  socket.send('late')
  assert.equal((await socket.closed).cause, 'connection-reset')
})
