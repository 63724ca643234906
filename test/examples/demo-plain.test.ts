// What the page of `npm start` says of a server without the plugin, held against one. That a frozen
// peer stays open for minutes would take minutes to show.
import assert from 'node:assert/strict'
import { once } from 'node:events'
import { describe, it } from 'node:test'
import { ACTS, type Act } from '../../examples/demo/acts.js'
import { dial } from '../../examples/demo/peer.js'
import type { Load } from '../../examples/demo/events.js'
import { Deferred } from '../../lib/platform/deferred.js'
import { ENDINGS } from './demo.js'
import { plainRoom } from '../support/servers/plain.js'
import { addressIn, start } from '../support/servers/program.js'
import { endWith, portOf } from '../support/servers/app.js'
import { busyRoom } from './busy-room.js'

function isLoad(act: Act): act is Load {
  return act === 'flood' || act === 'jobs'
}

type Seen = (typeof ENDINGS)[Act]['sees']

describe('@fastify/websocket alone', () => {
  for (const [act, { sees }] of Object.entries(ENDINGS) as [Act, { sees: Seen }][]) {
    if (sees === 'nothing' || sees === 'exit' || isLoad(act)) continue
    it(`sees ${sees} of "${act}"`, async (t) => {
      const seen = new Deferred<number>()
      const app = await plainRoom((code) => seen.resolve(code))
      endWith(t, app)
      const query = act === 'throw' ? '?fault=throw' : ''
      const line = dial(`ws://127.0.0.1:${portOf(app)}/room${query}`)
      await once(line.ws, 'open')
      await ACTS[act](line, 4000)
      assert.equal(String(await seen.promise), sees)
    })
  }

  it('sees 1005 of its own shutdown', async (t) => {
    const seen = new Deferred<number>()
    const app = await plainRoom((code) => seen.resolve(code))
    endWith(t, app)
    const { ws } = dial(`ws://127.0.0.1:${portOf(app)}/room`)
    await once(ws, 'open')
    await app.close()
    assert.equal(await seen.promise, 1005)
  })

  for (const [act, count] of [
    ['flood', 4_000],
    ['jobs', 5],
  ] as const) {
    it(`has all messages of "${act}" in its memory at once, and sees 1000 of it`, async (t) => {
      const room = await busyRoom()
      endWith(t, room.app)
      const line = dial(`ws://127.0.0.1:${portOf(room.app)}/room`)
      await once(line.ws, 'open')
      const acted = ACTS[act](line)
      await room.isHandling(count)
      room.finishAll()
      await acted
      assert.equal(String(await room.closed), ENDINGS[act].sees)
    })
  }

  it('sees nothing of "deaf", and keeps all that it sends', async (t) => {
    const room = await busyRoom()
    endWith(t, room.app)
    const line = dial(`ws://127.0.0.1:${portOf(room.app)}/room`)
    await once(line.ws, 'open')
    await ACTS.deaf(line)
    const { unsent, readyState } = await room.hasTalked
    assert.ok(unsent > 64 * 1024 * 1024, `${unsent} bytes`)
    assert.equal(readyState, line.ws.OPEN)
  })

  it('exits where a listener rejects', async (t) => {
    const program = start(t, 'test/stories/plain-room.ts')
    const { port } = addressIn(await program.line('http'))
    const line = dial(`ws://127.0.0.1:${port}/room`)
    await once(line.ws, 'open')
    await ACTS.reject(line)
    const { code, stderr } = await program.exited
    assert.equal(code, 1)
    assert.match(stderr, /This listener rejects/)
  })
})
