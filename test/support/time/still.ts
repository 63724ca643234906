import type { LifecycleSocket } from '../../../lib/index.js'
import { bytesTaken } from '../../../lib/platform/node-internals.js'
import { rawOf } from '../servers/outbox.js'
import type { FakeClock } from './fake-clock.js'

/**
 * Moves the clock by `ms` in which the kernel of a peer that does not read takes nothing: the two kernels go on by
 * themselves, in real time, for a moment, and whoever takes something has all the time once more.
 */
export async function advanceStill(
  clock: FakeClock,
  socket: LifecycleSocket,
  ms: number,
): Promise<void> {
  const raw = rawOf(socket)
  let takenBefore: number | undefined
  do {
    takenBefore = bytesTaken(raw)
    await clock.advance(ms)
  } while (!raw.destroyed && bytesTaken(raw) !== takenBefore)
}

/** Tells since when nothing was taken, as it was seen at each call. */
export function lastTaken(clock: FakeClock, socket: LifecycleSocket): () => number {
  const raw = rawOf(socket)
  let taken = bytesTaken(raw)
  let since = clock.now()
  return () => {
    if (!raw.destroyed && bytesTaken(raw) !== taken) since = clock.now()
    taken = bytesTaken(raw)
    return since
  }
}
