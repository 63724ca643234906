import assert from 'node:assert/strict'
import type { LifecycleSocket } from '../../lib/index.js'
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

/** Lets the loop poll until something holds, for a bounded time. */
export async function until(holds: () => boolean): Promise<void> {
  for (let turn = 0; turn < 20_000 && !holds(); turn++) await turns(1)
  assert.ok(holds(), `Expected ${String(holds)}`)
}
