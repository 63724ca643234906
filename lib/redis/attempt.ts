import { startForAll } from '../platform/context.js'
import { follow } from '../platform/thenable.js'
import type { Clock } from '../time/clock.js'
import { afterNextPoll } from '../time/sweep.js'

/** What has become of a call of the app's release. */
export type Settled =
  | { readonly status: 'done' }
  | { readonly status: 'failed'; readonly error: unknown }

/** One call of the app's release. Neither promise ever rejects. */
export interface Attempt {
  /** Resolves when the release has settled; never, if it never does. */
  readonly settled: Promise<Settled>
  /** The same, but resolves in time; with `undefined` if the release has taken too long. */
  readonly inTime: Promise<Settled | undefined>
}

const DONE: Settled = { status: 'done' }

/** @param timeout how long the call may take, in ms */
export function attempt(call: () => unknown, timeout: number, clock: Clock): Attempt {
  const settled = settle(call)
  const inTime = new Promise<Settled | undefined>((resolve) => {
    // What has come while our loop stood still is taken first.
    const overran = (): void => afterNextPoll(() => resolve(undefined))
    const timer = startForAll(() => clock.setTimeout(overran, timeout))
    timer.unref()
    void settled.then((outcome) => {
      clock.clearTimeout(timer)
      resolve(outcome)
    })
  })
  return { settled, inTime }
}

function failed(error: unknown): Settled {
  return { status: 'failed', error }
}

function settle(call: () => unknown): Promise<Settled> {
  try {
    return follow<Settled>(call(), () => DONE, failed)
  } catch (error) {
    return Promise.resolve(failed(error))
  }
}
