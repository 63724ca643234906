import assert from 'node:assert/strict'
import { test } from 'node:test'
import {
  type Answer,
  isNobody,
  type MuteCount,
  MutePeers,
} from '../../../lib/core/diagnosis/mute-peers.js'
import { randomFrom } from '../../support/models/random.js'

const HOUR = 3_600_000

/** So many peers are gone, one in each second. @returns what was found */
function go(peers: MutePeers, from: number, count: number, answer: Answer): MuteCount[] {
  return Array.from({ length: count }, (_, i) => peers.gone(from + 1_000 * i, '/', answer)).flatMap(
    (each) => each ?? [],
  )
}

test('twenty peers that never answered are found, and asked about less and less often', () => {
  const peers = new MutePeers()
  const found = go(peers, 5_000, 100, 'mute')
  assert.deepEqual(
    found.map(({ count }) => count),
    [20, 40, 80],
  )
  assert.deepEqual(found[0], { count: 20, answered: 0, unasked: 0, since: 5_000 })
})

test('a route that was told of is quiet for the rest of the hour', () => {
  const peers = new MutePeers()
  assert.equal(go(peers, 0, 20, 'mute').length, 1)
  peers.told('/', 20_000)
  assert.equal(go(peers, 30_000, 1_000, 'mute').length, 0)
  assert.equal(go(peers, HOUR, 20, 'mute').length, 1)
})

const of = (count: number, answered: number, unasked = 0): boolean =>
  isNobody({ count, answered, unasked })

test('where more than one in ten has answered, or most go before they are asked, the others may just have gone', () => {
  const peers = new MutePeers()
  go(peers, 0, 5, 'answered')
  assert.deepEqual(go(peers, 10_000, 40, 'mute'), [])
  assert.deepEqual(
    [of(9, 1), of(10, 2), of(18, 2), of(20, 0, 179), of(20, 0, 180)],
    [true, false, true, true, false],
  )
})

test('each route counts by itself, and each hour', () => {
  const peers = new MutePeers()
  for (let i = 0; i < 19; i++) {
    for (const route of ['/a', '/b']) assert.equal(peers.gone(i, route, 'mute'), undefined)
  }
  assert.equal(peers.gone(HOUR, '/a', 'mute'), undefined)
  assert.equal(peers.gone(19, '/b', 'mute')?.count, 20)
})

test('phones that vanish before their first ping make nobody mute, as long as half of all live to answer one', () => {
  for (let seed = 1; seed <= 200; seed++) {
    const random = randomFrom(seed)
    const peers = new MutePeers()
    for (let i = 0; i < 2_000; i++) {
      assert.equal(
        peers.gone(5_000 * i, '/', random() < 0.5 ? 'answered' : 'mute'),
        undefined,
        `seed ${seed}`,
      )
    }
  }
})
