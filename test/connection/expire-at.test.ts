// socket.expireAt(): another moment, while a connection is open.
import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { within } from '../support/time/bound.js'
import { FakeClock } from '../support/time/fake-clock.js'
import { RawPeer } from '../support/peers/raw-peer.js'
import { isSecondPass } from '../support/servers/second-pass.js'
import { connectOne } from '../support/servers/server.js'
import { assertBetween, lasted } from '../support/time/timed.js'
import { TICK, connectUntil } from '../support/servers/expiring.js'

describe('socket.expireAt()', () => {
  for (const [what, first, second] of [
    ['later', 2_000, 10_000],
    ['earlier', 20_000, 3_000],
    ['from never', undefined, 3_000],
  ] as const) {
    test(`moves the end of the credentials: ${what}`, async (t) => {
      const { clock, socket } = await connectUntil(t, first)
      await clock.advance(1_000)
      socket.expireAt(clock.wall() - 1_000 + second)
      assertBetween(1_000 + (await lasted(clock, socket)), second, second + TICK + 10)
      socket.terminate()
      assert.equal((await within(socket.closed, 'the end')).cause, 'auth-expired')
    })
  }

  test('can be called again and again, as after each renewal of a token, also in the handler', async (t) => {
    const clock = new FakeClock()
    const { socket } = await connectOne(t, {
      clock,
      options: { keepalive: false },
      handler: (socket) => socket.expireAt(new Date(clock.wall() + 1_500)),
    })
    for (let renewal = 0; renewal < 20; renewal++) {
      await clock.advance(1_000)
      assert.equal(socket.readyState, socket.OPEN)
      socket.expireAt(new Date(clock.wall() + 1_500))
    }
    assertBetween(await lasted(clock, socket), 1_500, 1_500 + TICK + 10)
  })

  test('with a moment in the past ends the connection at the next look', async (t) => {
    const { clock, socket } = await connectUntil(t, undefined)
    await clock.advance(1_000)
    socket.expireAt(clock.wall() - 1)
    assert.equal(socket.readyState, socket.OPEN, 'not in the middle of what its caller does')
    assertBetween(await lasted(clock, socket), 0, TICK)
  })

  test('with what is no moment throws, tells which route, and leaves the moment as it was', async (t) => {
    const { clock, socket } = await connectUntil(t, 5_000)
    for (const wrong of [
      1_700_000_000,
      new Date(1_700_000_000),
      Number.NaN,
      new Date('soon'),
      '2030-01-01',
      null,
      undefined,
      -1,
    ]) {
      assert.throws(() => socket.expireAt(wrong as number), {
        code: 'FST_ERR_WSL_INVALID_OPTION',
        message: isSecondPass
          ? /milliseconds since 1970.* session\.expireAt\(\) of route \//
          : /milliseconds since 1970.* socket\.expireAt\(\) of route \//,
      })
    }
    assertBetween(await lasted(clock, socket), 5_000, 5_000 + TICK + 10)
  })

  test('does nothing once the connection is ending, nor when it is over', async (t) => {
    const { clock, peer, socket, closes, events } = await connectUntil(t, 60_000)
    socket.close(4000, 'bye')
    socket.expireAt(clock.wall())
    await clock.advance(TICK)
    const frames = [await peer.next()]
    assert.equal(frames[0]?.payload.readUInt16BE(), 4000)
    peer.send(RawPeer.closeFrame(4000))
    const close = await within(socket.closed, 'the end')
    assert.deepEqual([close.cause, close.sent?.code], ['server-close', 4000])
    socket.expireAt(clock.wall())
    await clock.advance(5_000)
    assert.deepEqual(closes, [close])
    assert.deepEqual(events, ['abort', 'close', 'release'])
    assert.equal(clock.pending, 0)
  })
})
