// Many connections that end unexpectedly within a short time: one summary, in place of a line for each.
import assert from 'node:assert/strict'
import { test, type TestContext } from 'node:test'
import type { FastifyInstance } from 'fastify'
import { OPCODE, RawPeer } from '../support/peers/raw-peer.js'
import { hear, type Hearing } from '../support/servers/hear.js'
import { type LogLine, logLines } from '../support/servers/log-lines.js'
import { portOf, serve } from '../support/servers/server.js'
import { FakeClock } from '../support/time/fake-clock.js'
import { until } from '../support/time/timed.js'

const WARN = 40

interface Served {
  readonly app: FastifyInstance
  readonly clock: FakeClock
  readonly heard: Hearing
  readonly lines: LogLine[]
  /** So many clients come, and go in their way. */
  readonly lose: (count: number, go: (peer: RawPeer) => void, path?: string) => Promise<void>
}

async function serveMany(t: TestContext): Promise<Served> {
  const clock = new FakeClock()
  const { lines, fastify } = logLines()
  const heard = hear(t, 'diagnosis.storm', 'connection.closed')
  const app = await serve(t, {
    clock,
    fastify,
    options: { keepalive: false },
    routes: (app) => {
      for (const path of ['/rooms/:id', '/feed', '/chat', `/${'long'.repeat(50)}`])
        app.get(path, { websocket: true }, () => {})
      app.get('/fails', { websocket: true, onMessage: sorry }, () => {})
    },
  })
  return {
    app,
    clock,
    heard,
    lines,
    lose: async (count, go, path = '/rooms/1') => {
      const before = heard.of('connection.closed').length
      const peers = await Promise.all(
        Array.from({ length: count }, async () => RawPeer.open(portOf(app), path)),
      )
      for (const peer of peers) go(peer)
      await until(() => heard.of('connection.closed').length === before + count)
      for (const peer of peers) peer.destroy()
    },
  }
}

const sorry = async (): Promise<never> => {
  throw new Error('sorry')
}
const finish = (peer: RawPeer): void => peer.finish()
const reset = (peer: RawPeer): void => peer.reset()
const close = (peer: RawPeer): void => peer.send(RawPeer.closeFrame(4000))
const fail = (peer: RawPeer): void =>
  peer.send(RawPeer.frame(OPCODE.text, 'x'), RawPeer.closeFrame(1011))
const leave = (peer: RawPeer): void => peer.send(RawPeer.closeFrame(1000))

const warnings = (lines: readonly LogLine[]): LogLine[] =>
  lines.filter(({ level }) => level === WARN)

const endsAbove = (lines: readonly LogLine[], level: number): number =>
  lines.filter(
    (line) => line['msg'] === 'WebSocket connection ended' && Number(line['level']) > level,
  ).length

test('a storm has two lines with all its counts, in place of one for each end', async (t) => {
  const { clock, heard, lines, lose } = await serveMany(t)
  await lose(70, close)
  assert.equal(endsAbove(lines, 30), 70)
  const first = clock.wall()
  await clock.advance(5_000)
  await lose(130, reset, '/feed')
  const [begun] = heard.of('diagnosis.storm')
  assert.deepEqual(begun, {
    phase: 'begun',
    count: 100,
    causes: { 'client-close': 70, 'connection-reset': 30 },
    routes: { '/rooms/:id': 70, '/feed': 30 },
    first,
    last: first + 5_000,
  })
  assert.equal(endsAbove(lines, 20), 70 + 29)
  await clock.advance(15_000)
  await lose(1, close)
  assert.equal(endsAbove(lines, 20), 70 + 29)
  await clock.advance(5_000)
  const told = heard.of('diagnosis.storm')
  assert.deepEqual(
    told.map(({ phase }) => phase),
    ['begun', 'over'],
  )
  assert.equal(told[1]?.count, 201)
  assert.equal(clock.pending, 0)
  // Those who listen have missed nothing.
  assert.equal(heard.of('connection.closed').length, 201)
  const summaries = warnings(lines).filter((line) => 'phase' in line)
  assert.deepEqual(
    summaries.map(({ phase, count, causes, routes }) => ({ phase, count, causes, routes })),
    told.map(({ phase, count, causes, routes }) => ({ phase, count, causes, routes })),
  )
  await lose(1, close)
  assert.equal(endsAbove(lines, 30), 71)
})

test('many clients that close as they should are no storm, and neither are fewer that do not', async (t) => {
  const { app, heard, lines, lose } = await serveMany(t)
  await lose(120, leave)
  await lose(99, finish)
  assert.deepEqual(heard.of('diagnosis.storm'), [])
  assert.equal(endsAbove(lines, 20), 99)
  await app.close()
  assert.deepEqual(heard.of('diagnosis.storm'), [])
})

test('a storm that lasts is told of each minute, and is over with the server', async (t) => {
  const { app, clock, heard, lines, lose } = await serveMany(t)
  await lose(100, finish)
  for (let round = 0; round < 6; round++) {
    await lose(45, finish, round % 2 === 0 ? `/${'long'.repeat(50)}` : '/chat')
    await lose(6, finish, '/feed')
    await clock.advance(10_000)
  }
  await app.close()
  assert.deepEqual(
    heard.of('diagnosis.storm').map(({ phase, count, routes }) => [phase, count, routes]),
    [
      ['begun', 100, { '/rooms/:id': 100 }],
      ...['lasting', 'over'].map((phase) => [
        phase,
        406,
        { [`/${'long'.repeat(50)}`]: 135, '/chat': 135, '/rooms/:id': 100, '/feed': 36 },
      ]),
    ],
  )
  // A line names three routes, and cuts long names.
  const routes = Object.keys(lines.findLast((line) => line['phase'] === 'over')?.['routes'] ?? {})
  assert.deepEqual(routes, [`/${'long'.repeat(19)}…`, '/chat', '/rooms/:id'])
  assert.equal(clock.pending, 0)
})

test('of errors in a storm one in a second is logged: they may be thousands, too', async (t) => {
  const { clock, lines, lose } = await serveMany(t)
  await lose(100, finish)
  const errors = (): number => lines.filter(({ level }) => level === 50).length
  await lose(20, fail, '/fails')
  assert.equal(errors(), 1)
  await clock.advance(1_000)
  await lose(20, fail, '/fails')
  assert.equal(errors(), 2)
  await clock.advance(20_000)
  await lose(20, fail, '/fails')
  assert.equal(errors(), 22)
})
