// Several nodes: how many connections each of them has.
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { clusterOf } from '../../lib/cluster/door.js'
import { RawPeer } from '../support/peers/raw-peer.js'
import { NotingNode } from '../support/servers/cluster.js'
import { serveDashboard, type WithDashboard } from '../support/servers/with-dashboard.js'
import { turns } from '../support/time/fake-clock.js'

type Counts = ReadonlyMap<string, number | undefined>

/** The node `here`, which answers what a test says. */
class CountingNode extends NotingNode {
  asked = 0
  readonly #answers: Array<{ resolve: (counts: Counts) => void; reject: (error: Error) => void }> =
    []

  override async countOpen(): Promise<Counts> {
    this.asked++
    return new Promise((resolve, reject) => {
      this.#answers.push({ resolve, reject })
    })
  }

  async answer(counts: Record<string, number | undefined>): Promise<void> {
    this.#answers.shift()?.resolve(new Map(Object.entries(counts)))
    await turns()
  }

  async fail(): Promise<void> {
    this.#answers.shift()?.reject(new Error('no Redis'))
    await turns()
  }
}

function nodeOf({ app }: WithDashboard): CountingNode {
  const node = new CountingNode()
  clusterOf(app).node = node
  return node
}

test('the nodes are asked while somebody looks, each 5 s, and never twice at once', async (t) => {
  const served = await serveDashboard(t)
  const node = nodeOf(served)
  await served.clock.advance(20_000)
  assert.equal(node.asked, 0)
  const onlooker = await served.look()
  await onlooker.tick()
  assert.equal(onlooker.hellos[0]?.node, 'here')
  assert.deepEqual([node.asked, onlooker.each('nodes')], [1, []])
  await node.answer({ here: 1, away: 7, mute: undefined })
  await onlooker.tick()
  assert.deepEqual(onlooker.each('nodes'), [
    [
      { node: 'away', isHere: false, open: 7 },
      { node: 'here', isHere: true, open: 1 },
      { node: 'mute', isHere: false, open: null },
    ],
  ])
  await onlooker.tick(19)
  assert.equal(node.asked, 2)
  // It does not answer for long.
  await onlooker.tick(60)
  assert.equal(node.asked, 2)
  await node.answer({ mute: undefined, away: 7, here: 1 })
  await onlooker.tick()
  assert.equal(onlooker.each('nodes').length, 1)
  assert.equal(node.asked, 3)
  await node.answer({ here: 1, away: 8 })
  await onlooker.tick()
  assert.equal(onlooker.each('nodes').length, 2)
  // Who comes later gets them at once.
  const later = await served.look()
  await later.tick()
  assert.deepEqual(later.each('nodes'), [
    [
      { node: 'away', isHere: false, open: 8 },
      { node: 'here', isHere: true, open: 1 },
    ],
  ])
})

test('if they cannot be asked, only this one is known', async (t) => {
  const served = await serveDashboard(t)
  const node = nodeOf(served)
  const peer = await RawPeer.open(served.port)
  const onlooker = await served.look()
  await onlooker.tick()
  await node.fail()
  await onlooker.tick()
  assert.deepEqual(onlooker.each('nodes').at(-1), [{ node: 'here', isHere: true, open: 2 }])
  await onlooker.tick(19)
  await node.answer({ here: 2, away: 7 })
  await onlooker.tick(20)
  await node.fail()
  await onlooker.tick()
  assert.deepEqual(onlooker.each('nodes').at(-1), [
    { node: 'away', isHere: false, open: null },
    { node: 'here', isHere: true, open: 2 },
  ])
  peer.destroy()
})

test('what comes when nobody looks any more is forgotten', async (t) => {
  const served = await serveDashboard(t)
  const node = nodeOf(served)
  const onlooker = await served.look()
  await onlooker.tick()
  await onlooker.client.close()
  await served.clock.advance(1)
  await node.answer({ here: 1, away: 7 })
  const next = await served.look()
  await next.tick()
  assert.equal(node.asked, 2)
  assert.deepEqual(next.each('nodes'), [])
})

test('a server that is one of none is asked for nothing', async (t) => {
  const served = await serveDashboard(t)
  const onlooker = await served.look()
  await onlooker.tick(25)
  assert.deepEqual(onlooker.each('nodes'), [])
})
