import { nextTick } from './real-time.js'

/**
 * Throws an error in a tick of its own. It is used for errors that come from no callback of the app. The
 * error reaches `uncaughtException`. If the app survives that, the work for others has gone on.
 */
export function throwLater(error: unknown): void {
  nextTick(() => {
    throw error
  })
}

/** Calls `act` with each member. If it throws for one, the others still have their turn. */
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
