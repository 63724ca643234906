// Ledgers that a test makes by hand. Times in ms.
import { DIRECTOR, type Entry, type Event } from '../ledger.js'
import { judge } from './verdict.js'

const SIGN_EVERY = 200

export function at(time: number, process: number, event: Event): Entry {
  return { at: time, process, ...event }
}

/** A process lives, and says so. */
export function lives(
  process: number,
  node: string,
  from: number,
  to: number,
  connected = true,
): Entry[] {
  const entries: Entry[] = []
  for (let time = from; time <= to; time += SIGN_EVERY) {
    entries.push(at(time, process, { what: 'sign', node, fence: process, connected }))
  }
  return entries
}

/** A client is let in, on a durable route. */
export function opens(time: number, process: number, node: string, id: string): Entry[] {
  const ticket = `ticket of ${id}`
  const kind = 'session'
  return [
    at(time, process, { what: 'opened', id, ticket, node, kind, key: 'room' }),
    at(time + 1, DIRECTOR, { what: 'admitted', ticket, kind }),
  ]
}

/** The release of a record begins, and is over 10 ms later. */
export function releases(
  time: number,
  process: number,
  owner: string,
  id: string,
  { survivor = false, fence = process }: { survivor?: boolean; fence?: number } = {},
): Entry[] {
  const run = { id, ticket: `ticket of ${id}`, owner, fence, survivor }
  return [
    at(time, process, { what: 'releasing', ...run }),
    at(time + 10, process, { what: 'released', ...run }),
  ]
}

export function killed(time: number, process: number): Entry {
  return at(time, DIRECTOR, { what: 'exited', of: process, code: null, signal: 'SIGKILL' })
}

let troubles = 0

export function trouble(
  kind: Extract<Event, { what: 'trouble' }>['kind'],
  on: number | 'all',
  from: number,
  to: number,
): Entry[] {
  const number = ++troubles
  return [
    at(from, DIRECTOR, { what: 'trouble', trouble: number, kind, on }),
    at(to, DIRECTOR, { what: 'trouble over', trouble: number }),
  ]
}

/** What the verdict finds in a story. */
export function verdictOn(...parts: ReadonlyArray<Entry | Entry[]>): {
  readonly rules: readonly string[]
  readonly counts: ReadonlyMap<string, number>
} {
  const { violations, counts } = judge(parts.flat().toSorted((a, b) => a.at - b.at))
  return { rules: violations.map(({ rule }) => rule), counts }
}
