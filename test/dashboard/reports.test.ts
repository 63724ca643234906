// The reports of the diagnosis, in words.
import assert from 'node:assert/strict'
import { channel } from 'node:diagnostics_channel'
import { test } from 'node:test'
import type { Report } from '../../lib/dashboard/protocol.js'
import {
  wordsOfIdleTimeout,
  wordsOfMutePeers,
  wordsOfStall,
  wordsOfStorm,
} from '../../lib/dashboard/words.js'
import type { LifecycleEventName, LifecycleEvents } from '../../lib/index.js'
import { RawPeer } from '../support/peers/raw-peer.js'
import {
  type Onlooker,
  serveDashboard,
  type WithDashboard,
} from '../support/servers/with-dashboard.js'
import { until } from '../support/time/timed.js'

/** Tells of something as the plugin does. */
function tell<Name extends LifecycleEventName>(
  { app }: WithDashboard,
  name: Name,
  event: Omit<LifecycleEvents[Name], 'app'>,
): void {
  channel(`fastify-websocket-lifecycle:${name}`).publish({ app, ...event })
}

const stall = (served: WithDashboard, lateness: number, during?: object): void =>
  tell(served, 'loop.stalled', { lateness, postponed: 0, during: during as never })

const reportsOf = (onlooker: Onlooker): Report[] => onlooker.each('reports').flat()

const NO_REPORT = { first: 1, last: 2 }

test('a storm is one report, from its begin to its end', async (t) => {
  const served = await serveDashboard(t)
  const { app, clock, look, port } = served
  const peers: RawPeer[] = []
  for (let i = 0; i < 100; i++) peers.push(await RawPeer.open(port))
  for (const peer of peers) peer.destroy()
  await until(() => app.websocketLifecycle.connections.size === 0)
  // It is known also to those who look only now.
  const onlooker = await look()
  await onlooker.tick()
  const [report, ...others] = onlooker.hellos[0]?.reports ?? []
  assert.deepEqual(others, [])
  assert.deepEqual(report, {
    id: 1,
    at: clock.wall() - 250,
    kind: 'storm',
    isOver: false,
    text: 'Many connections end unexpectedly: 100 so far, most by connection-lost, most on /.',
    advice:
      'Look for a proxy, a load balancer or a network that has restarted, or is gone: was something deployed at that time?',
  })
  await onlooker.tick(4 * 25)
  const [over, ...more] = reportsOf(onlooker)
  assert.deepEqual(more, [])
  assert.deepEqual([over?.id, over?.isOver], [1, true])
  assert.equal(
    over?.text,
    'Many connections have ended unexpectedly: 100 so far, most by connection-lost, most on /.',
  )
})

test('stalls that come one soon after the other are one report, which is renewed', async (t) => {
  const served = await serveDashboard(t)
  const onlooker = await served.look()
  await onlooker.tick()
  stall(served, 199)
  stall(served, 800)
  stall(served, 1_500, { route: '/', step: 'messages', duration: 1_400 })
  stall(served, 300)
  await onlooker.tick()
  const [report, ...others] = reportsOf(onlooker)
  assert.deepEqual(others, [])
  assert.deepEqual([report?.id, report?.kind, report?.isOver], [1, 'stall', false])
  assert.equal(
    report?.text,
    'The event loop stood still for 1.5 s, 2.6 s in all, 3 times one soon after the other: nobody was served.',
  )
  assert.equal(
    report.advice,
    '`messages` of / ran for 1.4 s: let it work in pieces, or in a worker thread.',
  )
  await onlooker.tick(4 * 60)
  assert.deepEqual(
    reportsOf(onlooker).map(({ id, isOver }) => [id, isOver]),
    [
      [1, false],
      [1, true],
    ],
  )
  stall(served, 200)
  await onlooker.tick()
  const last = reportsOf(onlooker).at(-1)
  assert.equal(last?.id, 2)
  assert.equal(last.text, 'The event loop stood still for 200 ms: nobody was served.')
  assert.match(last.advice, /^What has blocked it is not known/)
})

test('what is told once an hour is renewed for the same route, and over when it is not told again', async (t) => {
  const served = await serveDashboard(t)
  const { clock, look } = served
  const mute = { count: 20, answered: 1, since: 1 }
  const idle = { silent: 'both', age: 60_000, interval: 45_000, count: 10, since: 1 } as const
  tell(served, 'diagnosis.mute-peers', { route: '/a', ...mute })
  tell(served, 'diagnosis.mute-peers', { route: '/b', ...mute })
  tell(served, 'diagnosis.idle-timeout', { ...idle, routes: { '/a': 9, '/b': 1 } })
  await clock.advance(3_600_000)
  tell(served, 'diagnosis.mute-peers', { route: '/b', ...mute, count: 40 })
  await clock.advance(600_000)
  const onlooker = await look()
  await onlooker.tick()
  assert.deepEqual(
    onlooker.hellos[0]?.reports.map(({ id, kind, isOver, text }) => [id, kind, isOver, text]),
    [
      [
        1,
        'mute-peers',
        true,
        'Next to no client of /a answers pings: 20 were taken for dead that had never answered one, against 1 that did.',
      ],
      [
        2,
        'mute-peers',
        false,
        'Next to no client of /b answers pings: 40 were taken for dead that had never answered one, against 1 that did.',
      ],
      [
        3,
        'idle-timeout',
        true,
        'Connections are cut off when nobody has sent anything for 60 s: 10 so far, most on /a.',
      ],
    ],
  )
})

test('the last 20 are kept', async (t) => {
  const served = await serveDashboard(t)
  const mute = { count: 20, answered: 0, since: 1 }
  for (let i = 1; i <= 30; i++) tell(served, 'diagnosis.mute-peers', { route: `/${i}`, ...mute })
  const onlooker = await served.look()
  await onlooker.tick()
  const ids = onlooker.hellos[0]?.reports.map(({ id }) => id)
  assert.deepEqual(
    ids,
    Array.from({ length: 20 }, (_, index) => index + 11),
  )
  assert.deepEqual(reportsOf(onlooker), [])
})

test('another server of the process is not meant', async (t) => {
  const [one, other] = [await serveDashboard(t), await serveDashboard(t)]
  stall(one, 1_000)
  const onlooker = await other.look()
  await onlooker.tick()
  assert.deepEqual(onlooker.hellos[0]?.reports, [])
})

test('each kind of storm has its advice', () => {
  const storm = { phase: 'begun', count: 100, routes: { '/': 100 }, ...NO_REPORT } as const
  const advice = (cause: string): string =>
    wordsOfStorm({ ...storm, causes: { [cause]: 100 } }).advice
  assert.match(advice('heartbeat-timeout'), /network/)
  assert.match(advice('handler-error'), /release/)
  assert.match(advice('slow-consumer'), /drained/)
  assert.match(advice('client-close'), /expectedCloseCodes/)
  assert.equal(advice('node-fenced'), '')
  const nothing = wordsOfStorm({ ...storm, causes: {}, routes: {} })
  assert.equal(nothing.advice, '')
})

test('words say who is silent, and name a route that is long only in part', () => {
  const idle = { age: 900, interval: 675, count: 10, since: 1 } as const
  const route = `/${'r'.repeat(500)}`
  for (const [silent, words] of [
    ['client', 'when the client has sent nothing for 900 ms'],
    ['server', 'when the server has sent nothing for 900 ms'],
  ] as const) {
    const { text, advice } = wordsOfIdleTimeout({ ...idle, silent, routes: { [route]: 1 } })
    assert.ok(text.includes(words))
    assert.ok(text.length < 350)
    assert.match(advice, /^Set `keepalive\.interval` to 675,/)
  }
  assert.ok(wordsOfMutePeers({ route, count: 1, answered: 1, since: 1 }).text.length < 350)
  const during = { route, step: 's'.repeat(500), duration: 1_000 }
  const { advice } = wordsOfStall({ count: 1, total: 1_000, longest: 1_000, during })
  assert.ok(advice.length < 400)
})
