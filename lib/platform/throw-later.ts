import { nextTick } from './real-time.js'

/**
 * Throws an error that is of no callback of the app, in a tick of its own: it reaches `uncaughtException`, and
 * where the app survives that, what was under way for others has gone on.
 */
export function throwLater(error: unknown): void {
  nextTick(() => {
    throw error
  })
}

/** Calls `act` with each: where it throws about one of them, the others have their turn all the same. */
export function forEachAlone<Member>(
  members: Iterable<Member>,
  act: (member: Member) => void,
): void {
  for (const member of members) {
    try {
      act(member)
    } catch (error) {
      throwLater(error)
    }
  }
}
