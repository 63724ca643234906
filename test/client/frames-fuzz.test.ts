// Any frames in any order: the client goes on, or closes that connection, and never throws.
import assert from 'node:assert/strict'
import { test } from 'node:test'
import * as fc from 'fast-check'
import { clientIn } from '../support/peers/lifecycle-client.js'
import { ClientWorld, settled } from '../support/time/client-world.js'

const number = fc.oneof(
  fc.nat(5).map(String),
  fc.constantFrom('', '-1', '1e3', '9'.repeat(15), '9'.repeat(16), '1 '),
)
const welcome = fc
  .record(
    {
      v: fc.constantFrom(1, 2, '1'),
      t: fc.constantFrom('secret', '', 'a b', 5, null),
      r: fc.constantFrom(0, 1, 2, true),
      n: fc.constantFrom(0, 1, 7, -1, 0.5, '0', null),
      w: fc.constantFrom(60_000, -1, null),
    },
    { requiredKeys: [] },
  )
  .map((body) => `\0w${JSON.stringify(body)}`)
const frame = fc.oneof(
  fc.string(),
  fc.string().map((text) => `\0${text}`),
  fc.string().map((text) => `\0w${text}`),
  fc
    .tuple(fc.constantFrom('a', 'b', 'p', 'w', 'z', ''), number)
    .map(([kind, body]) => `\0${kind}${body}`),
  welcome,
  fc.uint8Array().map((bytes) => bytes.slice().buffer),
)
const valid = fc.constantFrom(undefined, '\0w{"v":1}', '\0w{"v":1,"t":"secret","r":0,"n":0,"w":1}')

test('frames of every kind, in every order', async () => {
  await fc.assert(
    fc.asyncProperty(
      fc.boolean(),
      valid,
      fc.array(frame, { maxLength: 8 }),
      async (resume, first, frames) => {
        const world = new ClientWorld()
        const { client, count, told } = clientIn(world, { resume })
        client.send('kept')
        await settled()
        world.socket.open()
        if (first !== undefined) world.socket.say(first)
        world.socket.say(...frames)
        const { state } = client
        assert.ok(state === 'waiting' || state === 'open' || state === 'connecting')
        if (state === 'waiting') {
          assert.deepEqual(world.socket.closes, [{ code: 1002, reason: undefined, heard: 0 }])
          assert.equal(told.at(-1)?.type, 'lost')
        } else assert.equal(count('lost'), 0)
        // Nothing of the link is told to the app, and each of its own texts as it was sent.
        const heard = told.filter(({ type }) => type === 'message').map(({ data }) => data)
        const sent = frames
          .filter((each) => typeof each !== 'string' || each[0] !== '\0' || each[1] === '\0')
          .map((each) => (typeof each === 'string' && each[0] === '\0' ? each.slice(1) : each))
        assert.deepEqual(heard, sent.slice(0, heard.length))
        if (state === 'open') assert.equal(heard.length, sent.length)
        client.close()
        assert.equal(world.pending, 0)
      },
    ),
    { numRuns: 5_000, seed: 1 },
  )
})
