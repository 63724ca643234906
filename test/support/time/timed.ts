import assert from 'node:assert/strict'
import type { LifecycleSocket } from '../../../lib/index.js'
import { type FakeClock, turns } from './fake-clock.js'

/**
 * Moves the clock until the socket has left OPEN.
 * @returns how long that took
 */
export async function lasted(
  clock: FakeClock,
  socket: LifecycleSocket,
  atMost = 60_000,
): Promise<number> {
  const from = clock.now()
  while (socket.readyState === socket.OPEN && clock.now() - from < atMost) await clock.advance(10)
  return clock.now() - from
}

export function assertBetween(value: number, from: number, to: number): void {
  assert.ok(value >= from && value <= to, `Expected ${value} to be from ${from} to ${to}`)
}

/** Fails a test that would wait for ever; nothing else depends on how long it is. */
const LONG = 60_000

/** Lets the loop poll until something holds. */
export async function until(holds: () => boolean): Promise<void> {
  const startedAt = performance.now()
  while (!holds() && performance.now() - startedAt < LONG) await turns(1)
  assert.ok(holds(), `Expected ${String(holds)}`)
}

/** The same where it has to be asked for. */
export async function untilAsync(holds: () => Promise<boolean>): Promise<void> {
  const startedAt = performance.now()
  let isHolding = await holds()
  while (!isHolding && performance.now() - startedAt < LONG) {
    await turns(1)
    isHolding = await holds()
  }
  assert.ok(isHolding, `Expected ${String(holds)}`)
}

/** Moves the clock, in small steps, until something holds. */
export async function soon(clock: FakeClock, holds: () => Promise<boolean>): Promise<void> {
  await untilAsync(async () => {
    await clock.advance(1)
    return holds()
  })
}
