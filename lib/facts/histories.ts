import {
  type HistoryEntry,
  type HistoryFact,
  noteIn,
  readRing,
  type Ring,
} from '../core/diagnosis/history.js'
import type { Clock } from '../time/clock.js'
import type { RecordedSubject } from './subjects.js'

/**
 * The last facts of connections, for those who want them, and from the first sign on that something is wrong.
 *
 * A connection and its session have one history: its key is what they share. The history goes when they go. A
 * connection without a history holds nothing for it, not even an empty field.
 */
export class Histories {
  readonly #clock: Clock
  readonly #rings = new WeakMap<object, Ring>()
  /** Whether there has ever been one: else nothing has to be looked up. */
  #isUsed = false

  constructor(clock: Clock) {
    this.#clock = clock
  }

  /** Notes a fact. If the connection has no history, it begins with this fact. */
  begin(subject: RecordedSubject, fact: HistoryFact): void {
    const ring = this.#rings.get(subject.context) ?? this.#make(subject)
    noteIn(ring, fact, this.#clock.now())
  }

  /** If the connection has no history, it begins with what happened at `at`, by the clock. */
  beginWith(subject: RecordedSubject, fact: HistoryFact, at: number): void {
    if (!this.#rings.has(subject.context)) noteIn(this.#make(subject), fact, at)
  }

  /** Notes a fact, if the connection has a history. */
  note(subject: RecordedSubject, fact: HistoryFact): void {
    if (!this.#isUsed) return
    const ring = this.#rings.get(subject.context)
    if (ring !== undefined) noteIn(ring, fact, this.#clock.now())
  }

  /** @param openedAt when the (first) 101 was sent, by the clock */
  read(subject: RecordedSubject, openedAt: number): readonly HistoryEntry[] | undefined {
    const ring = this.#isUsed ? this.#rings.get(subject.context) : undefined
    return ring && readRing(ring, openedAt)
  }

  #make(subject: RecordedSubject): Ring {
    const ring: Ring = []
    this.#rings.set(subject.context, ring)
    this.#isUsed = true
    return ring
  }
}
