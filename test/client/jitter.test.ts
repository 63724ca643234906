// Full jitter: each wait is spread evenly from 0 to its bound (Kolmogorov-Smirnov, with a fixed seed).
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { clientIn } from '../support/peers/lifecycle-client.js'
import { randomFrom } from '../support/models/random.js'
import { ClientWorld, settled } from '../support/time/client-world.js'

const CLIENTS = 1_000
/** At 1 % of all seeds the distance of evenly spread numbers is larger. */
const LARGEST = 1.63 / Math.sqrt(CLIENTS)

/** How far the share of `values` below each value is from that of an even spread from 0 to `most`. */
function distance(values: readonly number[], most: number): number {
  const sorted = values.toSorted((a, b) => a - b)
  return Math.max(
    ...sorted.map((value, i) =>
      Math.max((i + 1) / sorted.length - value / most, value / most - i / sorted.length),
    ),
  )
}

/** The wait after what `lose` does to each of many clients. */
async function waitsAfter(lose: (world: ClientWorld) => Promise<void>): Promise<number[]> {
  const random = randomFrom(2026)
  const waits: number[] = []
  for (let i = 0; i < CLIENTS; i++) {
    const world = new ClientWorld()
    world.random = random
    const { client, told } = clientIn(world)
    await settled()
    await lose(world)
    waits.push(Number(told.at(-1)?.['retryIn']))
    client.close()
  }
  return waits
}

test('the measure sees a spread that is not even', () => {
  const random = randomFrom(1)
  const even = Array.from({ length: CLIENTS }, random)
  assert.ok(distance(even, 1) < LARGEST)
  assert.ok(
    distance(
      even.map((value) => 0.5 + value / 2),
      1,
    ) > LARGEST,
  )
})

for (const failures of [1, 3, 9]) {
  test(`after ${failures} failures`, async () => {
    const bound = Math.min(30_000, 500 * 2 ** failures)
    const waits = await waitsAfter(async (world) => {
      for (let i = 1; i < failures; i++) {
        world.socket.fail()
        world.wake()
        await settled()
      }
      world.socket.fail()
    })
    assert.ok(Math.max(...waits) < bound)
    assert.ok(distance(waits, bound) < LARGEST)
  })
}

test('after the server has asked to come back within a time', async () => {
  const waits = await waitsAfter(async (world) => {
    world.socket.welcome().comeBack(5_000)
    await world.advance(6_000)
    world.socket.end(1012)
  })
  assert.ok(Math.max(...waits) < 5_000)
  assert.ok(distance(waits, 5_000) < LARGEST)
})
