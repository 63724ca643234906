// The flight recorder: the last facts of a connection, in the record of its end.
import assert from 'node:assert/strict'
import { test, type TestContext } from 'node:test'
import type { CloseInfo } from '../../lib/index.js'
import { LinkPeer } from '../support/peers/link-peer.js'
import { OPCODE, RawPeer } from '../support/peers/raw-peer.js'
import { type LogLine, logLines } from '../support/servers/log-lines.js'
import { type Connected, connectOne, type OneRoute } from '../support/servers/server.js'
import { BOUND, keepalive, listen, nextWithin, TICK } from '../support/servers/timed-keepalive.js'
import { serveSessions } from '../support/servers/with-sessions.js'
import { FakeClock } from '../support/time/fake-clock.js'
import { gate } from '../support/time/gate.js'
import { assertBetween, until } from '../support/time/timed.js'

const { frame } = RawPeer
const MESSAGE = frame(OPCODE.text, 'hello')

interface Served extends Connected {
  readonly clock: FakeClock
  readonly lines: LogLine[]
}

async function connect(
  t: TestContext,
  route: NonNullable<OneRoute['route']> = {},
): Promise<Served> {
  const clock = new FakeClock()
  const { lines, fastify } = logLines()
  const connected = await connectOne(t, { clock, fastify, options: { keepalive }, route })
  return { ...connected, clock, lines }
}

const factsOf = ({ history }: CloseInfo): string[] | undefined => history?.map(({ fact }) => fact)

test('a connection that is healthy until it is lost has no history', async (t) => {
  const { peer, socket, clock, lines } = await connect(t)
  listen(peer, true)
  await clock.advance(5 * BOUND)
  peer.reset()
  assert.equal((await socket.closed).history, undefined)
  assert.equal(lines.filter((line) => 'history' in line).length, 0)
})

test('with `history` a connection has its last facts from the beginning on', async (t) => {
  const { peer, socket, clock, lines } = await connect(t, { history: true })
  const ping = await nextWithin(clock, peer.nextOf(OPCODE.ping))
  await clock.advance(20)
  peer.send(frame(OPCODE.pong, ping.payload))
  await until(() => socket.latency !== undefined)
  peer.send(RawPeer.closeFrame(1000))
  const { history = [], duration } = await socket.closed
  const [opened, pinged, ponged, closing, ...others] = history
  assert.deepEqual(others, [])
  assert.deepEqual(opened, { at: 0, fact: 'opened' })
  assert.equal(pinged?.fact, 'pinged')
  assert.deepEqual(ponged, { at: pinged.at + 20, fact: 'ponged' })
  assert.deepEqual(closing, { at: duration, fact: 'closing' })
  const line = lines.find((each) => 'history' in each)
  assert.deepEqual(
    [line?.['level'], line?.['history']],
    [20, `0 opened, ${pinged.at} pinged, ${ponged?.at} ponged, ${duration} closing`],
  )
  peer.destroy()
})

test('a peer that does not answer: its history begins with the ping', async (t) => {
  const { socket, clock } = await connect(t)
  await clock.advance(BOUND)
  const close = await socket.closed
  assert.deepEqual(factsOf(close), ['pinged', 'suspected', 'closing'])
  const [pinged, suspected] = close.history ?? []
  const silence = Number(suspected?.at) - Number(pinged?.at)
  assertBetween(silence, keepalive.timeout, keepalive.timeout + 2 * TICK)
})

test('a peer that has missed pings, but is alive in time, has them in its history', async (t) => {
  const clock = new FakeClock()
  const patient = { interval: 500, timeout: 5_000 }
  const { peer, socket } = await connectOne(t, { clock, options: { keepalive: patient } })
  await clock.advance(2_000)
  peer.send(frame(OPCODE.ping))
  await clock.advance(50)
  peer.reset()
  const facts = factsOf(await socket.closed) ?? []
  // A session has always begun to end before it has ended.
  const before = facts.filter((fact) => fact !== 'closing')
  assert.ok(before.length >= 2)
  assert.deepEqual([...new Set(before)], ['pinged'])
})

test('who sets the wall clock changes no history', async (t) => {
  const { peer, socket, clock } = await connect(t, { history: true })
  await clock.advance(100)
  const later = clock.wall() + 3_600_000
  clock.wall = () => later
  peer.reset()
  const { history = [] } = await socket.closed
  assert.deepEqual(history[0], { at: 0, fact: 'opened' })
  assert.ok(history.every(({ at }) => at <= 100))
})

test('an app that pauses by itself begins none', async (t) => {
  const { peer, socket } = await connect(t)
  socket.pause()
  socket.resume()
  peer.reset()
  assert.equal((await socket.closed).history, undefined)
  const other = await connect(t, { history: true })
  other.socket.pause()
  other.socket.resume()
  other.peer.reset()
  const facts = factsOf(await other.socket.closed) ?? []
  assert.deepEqual(facts.slice(0, 3), ['opened', 'paused', 'resumed'])
})

test('a callback that fails, and reading that pauses, begin a history', async (t) => {
  const first = gate()
  const { peer, socket, clock } = await connect(t, {
    keepalive: false,
    inbox: { maxMessages: 1 },
    onMessage: async () => {
      await first.opened
      throw new Error('sorry')
    },
  })
  peer.send(MESSAGE, MESSAGE)
  await until(() => socket.isPaused)
  await clock.advance(300)
  first.open()
  await peer.nextOf(OPCODE.close)
  peer.send(RawPeer.closeFrame(1011))
  const { history = [] } = await socket.closed
  assert.deepEqual(history.slice(0, 2), [
    { at: 0, fact: 'paused' },
    { at: 300, fact: 'failed' },
  ])
  assert.ok(history.some(({ fact }) => fact === 'dropped'))
  assert.equal(history.at(-1)?.fact, 'closing')
  peer.destroy()
})

test('a session has one history, over all of its connections', async (t) => {
  const { url, noted, sessions } = await serveSessions(t)
  const first = await LinkPeer.confirmed(url)
  first.cut()
  await noted('suspend')
  await LinkPeer.connect(url, { resume: first.resume(1, 0) })
  await noted('resume')
  const [session] = sessions
  assert.ok(session)
  session.close(4000)
  assert.deepEqual(factsOf(await session.closed), ['suspended', 'returned', 'closing'])
})
