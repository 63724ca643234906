// A client that says its last, and goes, while we still compress an answer: all that it said comes to the app.
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { DEFLATE, RawPeer } from '../support/peers/raw-peer.js'
import { connectOne } from '../support/servers/server.js'
import { rawOf } from '../support/servers/ws-pair.js'
import { delivered } from '../support/time/delivered.js'
import { threadPool } from '../support/time/thread-pool.js'

const { deflated } = RawPeer

test('an answer that comes too late for the stream gives up no message', async (t) => {
  const pool = threadPool(t)
  const heard: string[] = []
  const { peer, socket } = await connectOne(
    t,
    {
      options: { websocket: { perMessageDeflate: { threshold: 0 } } },
      handler: (it) => {
        it.on('message', (data: Buffer) => heard.push(data.toString()))
        // As ws does with a frame that was compressed between the FIN and the end of the stream.
        const raw = rawOf(it)
        raw.once('end', () => raw.write('late'))
      },
    },
    DEFLATE,
  )
  const last = Array.from({ length: 20 }, (_, index) => `compressed ${index}`)
  pool.hold()
  peer.send(...last.map(deflated))
  await delivered()
  peer.finish()
  await delivered()
  await pool.release()
  const { cause } = await socket.closed
  assert.equal(cause, 'connection-lost')
  assert.deepEqual(heard, last)
})
