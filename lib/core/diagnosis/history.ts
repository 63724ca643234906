/** What may stand in the history of a connection, by its number in a {@link Ring}. */
const FACTS = [
  'opened',
  'pinged',
  'ponged',
  'suspected',
  'averted',
  'paused',
  'resumed',
  'stuck',
  'dropped',
  'failed',
  'suspended',
  'returned',
  'closing',
] as const

/**
 * A fact in the history of a connection:
 * - `opened`: the 101 was sent.
 * - `pinged`, `ponged`: a ping of ours was sent, and the client answered it.
 * - `suspected`: the client had not answered in time. `averted`: at the second look there was a sign of life.
 * - `paused`, `resumed`: we read no more for a while, and read again.
 * - `stuck`: the client took no byte for `outbox.maxAge`.
 * - `dropped`: messages were dropped, one or many.
 * - `failed`: a callback threw or rejected.
 * - `suspended`, `returned`: a session lost its connection, and its client came back.
 * - `closing`: the end began.
 */
export type HistoryFact = (typeof FACTS)[number]

/** One entry of the history of a connection. */
export interface HistoryEntry {
  /** When it happened, in ms since the (first) 101. */
  readonly at: number
  readonly fact: HistoryFact
}

/** How many facts are remembered. */
const MOST = 16

/** The last facts of a connection. Each is one number: its time and its fact. So all of them take 184 bytes. */
export type Ring = number[]

/** @param at ms of the clock */
export function noteIn(ring: Ring, fact: HistoryFact, at: number): void {
  const code = FACTS.indexOf(fact)
  // Messages may be dropped by the thousand. That is one fact.
  if (fact === 'dropped' && codeOf(ring.at(-1) ?? 0) === code) return
  if (ring.length === MOST) ring.shift()
  ring.push(Math.floor(at) * FACTS.length + code)
}

/** @param openedAt when the 101 was sent, by the same clock */
export function readRing(ring: Ring, openedAt: number): readonly HistoryEntry[] {
  return Object.freeze(
    ring.map((entry) => {
      const fact = FACTS[codeOf(entry)] as HistoryFact
      const at = Math.max(0, Math.floor(entry / FACTS.length) - Math.floor(openedAt))
      return Object.freeze({ at, fact })
    }),
  )
}

function codeOf(entry: number): number {
  return entry % FACTS.length
}
