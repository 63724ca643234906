// A node that was taken for dead, or that is cut off from Redis, and a Redis that has lost something.
import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { DurableHold, Fenced } from '../../lib/cluster/cluster.js'
import {
  durableRoute,
  entryOf,
  type Recording,
  recording,
  refusedBy,
} from '../support/redis/durable.js'
import { tell } from '../support/redis/redis-server.js'
import { gate } from '../support/time/gate.js'
import { until, untilAsync } from '../support/time/timed.js'
import { surviveUncaught } from '../support/time/uncaught.js'

/** Connections that note how they end. */
function connections(): { ended: string[]; named: (name: string) => Fenced } {
  const ended: string[] = []
  return { ended, named: (name) => ({ end: (cause) => void ended.push(`${name} ${cause}`) }) }
}

/** A survivor has claimed the node. */
async function seal({ looker, node }: Recording): Promise<void> {
  await looker.redis.command('SET', node.names.sealOf(node.id), '2')
}

/** The node finds that out, and goes on under another name. */
function fence({ durable, node }: Recording): void {
  durable.fenced()
  node.id = 'two'
  node.fence = 3
  durable.writeAgain()
}

test('a node that was claimed ends its recorded connections, and releases nothing', async (t) => {
  const it = await recording(t)
  const { clock, record, records } = it
  const { ended, named } = connections()
  const released: string[] = []
  const route = durableRoute(({ id, node, fence }) => released.push(`${id} ${node} ${fence}`))
  const open = await record(entryOf(route, { id: 'open' }))
  open.opened(named('open'))
  const upgrade = await record(entryOf(route, { id: 'upgrade' }))
  const lost = await record(entryOf(route, { id: 'lost' }))
  await seal(it)
  fence(it)
  await until(() => ended.length === 1)
  upgrade.opened(named('upgrade'))
  assert.deepEqual(ended, ['open node-fenced', 'upgrade node-fenced'])
  lost.cancel()
  await Promise.all([open.release(), upgrade.release()])
  await clock.advance(1_000)
  // The survivor has what was recorded, but for the upgrade of which nothing came.
  await untilAsync(
    async () => String(Object.keys(await records('one')).toSorted()) === 'open,upgrade',
  )
  assert.deepEqual([released, await records('two')], [[], {}])
  const next = await record(entryOf(route, { id: 'next' }))
  assert.deepEqual(Object.keys(await records('two')), ['next'])
  await next.release()
  assert.deepEqual(released, ['next two 3'])
})

test('many connections end in some turns of the loop', async (t) => {
  const it = await recording(t)
  const { clock, durable } = it
  const { ended, named } = connections()
  const route = durableRoute(() => assert.fail('the survivor does'))
  const recorded = Promise.all(Array.from({ length: 200 }, () => durable.record(entryOf(route))))
  await clock.advance(5)
  const holds = await recorded
  for (const hold of holds) hold.opened(named(hold.id))
  fence(it)
  assert.equal(ended.length, 64)
  // One that waits for its turn to be ended may end before.
  await holds.at(-1)?.release()
  await until(() => ended.length === 199)
})

test('a connection whose end throws keeps no other from it', async (t) => {
  const it = await recording(t)
  const { ended, named } = connections()
  const route = durableRoute(() => {})
  const thrown = surviveUncaught(t)
  for (const connection of [{ end: () => assert.fail('mine') }, named('other')]) {
    const hold = await it.record(entryOf(route))
    hold.opened(connection)
  }
  fence(it)
  await until(() => thrown.length === 1)
  assert.deepEqual(ended, ['other node-fenced'])
})

test('nobody is recorded under the name of a node that was claimed', async (t) => {
  const it = await recording(t)
  await seal(it)
  const error = await refusedBy(it.record(entryOf(durableRoute(() => {}))))
  assert.deepEqual(
    [error.statusCode, error.message],
    [503, 'Redis cannot be asked: it has taken this node for dead'],
  )
  assert.deepEqual(await it.records(), {})
})

test('who is recorded while the node is being fenced is not let in', async (t) => {
  const it = await recording(t)
  const { clock, durable, server } = it
  const route = durableRoute(() => assert.fail('nothing was held'))
  server.pause()
  const before = refusedBy(durable.record(entryOf(route)))
  await clock.advance(5)
  durable.fenced()
  const between = refusedBy(durable.record(entryOf(route)))
  it.node.id = 'two'
  durable.writeAgain()
  server.resume()
  assert.equal((await before).statusCode, 503)
  await clock.advance(5)
  assert.equal((await between).statusCode, 503)
  await clock.advance(5)
  await untilAsync(async () => Object.keys(await it.records('one')).length === 0)
})

test('a release that runs while the node is fenced goes on, and spares the survivor the same', async (t) => {
  const it = await recording(t)
  const { clock, record, records } = it
  const { opened, open } = gate()
  const good = await record(entryOf(durableRoute(() => opened)))
  const bad = await record(
    entryOf(
      durableRoute(async () => {
        await opened
        throw new Error('no database')
      }),
      { id: 'bad' },
    ),
  )
  const settled = Promise.allSettled([good.release(), bad.release()])
  await seal(it)
  fence(it)
  open()
  assert.deepEqual(
    (await settled).map(({ status }) => status),
    ['fulfilled', 'rejected'],
  )
  await clock.advance(5)
  await untilAsync(async () => Object.keys(await records('one')).join() === 'bad')
  await until(() => clock.periods.length === clock.pending)
})

test('a node that wakes up asks first whether it was claimed, and releases if nobody knows', async (t) => {
  const it = await recording(t)
  const { clock, durable, node, record, server } = it
  const released: string[] = []
  const route = durableRoute(({ id }) => released.push(id))
  const ids = ['lives', 'claimed', 'alone', 'next', 'back']
  const [lives, claimed, alone, next, back] = await Promise.all(
    ids.map((id) => record(entryOf(route, { id }))),
  )
  node.isConnected = false
  const release = async (hold: DurableHold | undefined, wait: number): Promise<void> => {
    const released = hold?.release()
    await clock.advance(wait)
    await released
  }
  await release(lives, 5)
  assert.deepEqual(released, ['lives'])
  await seal(it)
  await release(claimed, 5)
  assert.deepEqual(released, ['lives'])
  server.pause()
  await release(alone, 2_005)
  assert.deepEqual(released, ['lives', 'alone'])
  // Nobody waits once more for a Redis that does not answer.
  await next?.release()
  assert.deepEqual(released, ['lives', 'alone', 'next'])
  server.resume()
  durable.writeAgain()
  await release(back, 5)
  assert.deepEqual(released, ['lives', 'alone', 'next'])
})

test('what has failed is the survivor’s when the node is fenced', async (t) => {
  const it = await recording(t)
  const { clock, record } = it
  let calls = 0
  const hold = await record(entryOf(durableRoute(() => assert.fail(`call ${++calls}`))))
  await assert.rejects(hold.release())
  fence(it)
  await until(() => clock.periods.length === clock.pending)
  await clock.advance(86_400_000)
  assert.equal(calls, 1)
})

test('a node that is cut off ends the connections that want it so, and releases them', async (t) => {
  const it = await recording(t)
  const { clock, durable, node, record, records } = it
  const { ended, named } = connections()
  const released: string[] = []
  const release = ({ id }: { id: string }): unknown => released.push(id)
  const goesOn = await record(entryOf(durableRoute(release), { id: 'goes on' }))
  goesOn.opened(named('goes on'))
  const route = durableRoute(release, { whenCutOff: 'close' })
  const closes = await record(entryOf(route, { id: 'closes' }))
  closes.opened(named('closes'))
  const late = await record(entryOf(route, { id: 'late' }))
  node.isConnected = false
  durable.cutOff()
  late.opened(named('late'))
  assert.deepEqual(ended, ['closes node-fenced', 'late node-fenced'])
  const releasing = Promise.all([closes.release(), late.release()])
  await clock.advance(5)
  await releasing
  assert.deepEqual(released, ['closes', 'late'])
  node.isConnected = true
  await clock.advance(105)
  await untilAsync(async () => Object.keys(await records()).join() === 'goes on')
})

test('what Redis has lost is written again, a thousand a second', async (t) => {
  const { clock, durable, records, server } = await recording(t)
  const route = durableRoute(() => {})
  const recorded = Promise.all(Array.from({ length: 1_500 }, () => durable.record(entryOf(route))))
  await clock.advance(5)
  const [gone, ...held] = await recorded
  await tell(server.port, 'FLUSHALL')
  durable.writeAgain()
  await gone!.release()
  await clock.advance(1_005)
  await untilAsync(async () => Object.keys(await records()).length >= 999)
  assert.ok(Object.keys(await records()).length <= 1_000)
  await clock.advance(600)
  await untilAsync(async () => Object.keys(await records()).length === 1_499)
  assert.deepEqual(Object.keys(await records()).toSorted(), held.map(({ id }) => id).toSorted())
  assert.equal(clock.periods.length, 1)
})

test('what could not be written again is tried again', async (t) => {
  const { clock, durable, node, record, records, server } = await recording(t)
  await record(entryOf(durableRoute(() => {})))
  await tell(server.port, 'FLUSHALL')
  server.pause()
  durable.writeAgain()
  await clock.advance(105)
  node.isConnected = false
  await clock.advance(10_000)
  server.resume()
  await untilAsync(async () => Object.keys(await records()).length === 1)
  await tell(server.port, 'FLUSHALL')
  node.isConnected = true
  await clock.advance(105)
  await untilAsync(async () => Object.keys(await records()).length === 1)
})

test('a node that writes nothing gives a sign each hour', async (t) => {
  const { clock, leave, looker, node, record, server } = await recording(t)
  const key = node.names.durableOf('one')
  const hold = await record(entryOf(durableRoute(() => {})))
  await looker.redis.command('PEXPIRE', key, 10_000)
  await clock.advance(3_600_000)
  const left = async (): Promise<number> => Number(await looker.redis.command('PTTL', key))
  await untilAsync(async () => (await left()) > 86_000_000)
  server.pause()
  await clock.advance(3_600_000)
  await clock.advance(2_000)
  server.resume()
  await hold.release()
  await leave()
  assert.equal(await looker.redis.command('EXISTS', key), 0)
})
