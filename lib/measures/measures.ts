import type { FastifyInstance } from 'fastify'
import type { LifecycleStats } from '../api/lifecycle.js'
import { factsOf } from '../facts/door.js'
import type { Facts } from '../facts/facts.js'
import { Listening } from '../facts/listening.js'
import {
  type HistogramKey,
  type LabelValues,
  NUMBER_KEYS,
  type NumberKey,
  NUMBERS,
} from './instruments.js'
import { Tally } from './tally.js'

/** Hears of each duration, in seconds. */
export type DurationListener = (key: HistogramKey, labels: LabelValues, seconds: number) => void

/** The value of each counter and gauge now, for all values of its labels. */
export type Reading = Readonly<Record<NumberKey, Tally>>

/** What the events of one server tell is counted here, and its facts are asked for all else when somebody reads. */
export class Measures {
  readonly #facts: Facts
  readonly #took: DurationListener
  /** What only events tell. */
  readonly #told = tallies()
  /** The last value of each counter: it must not fall, or Prometheus would take it for one that began anew. */
  readonly #last = tallies()
  readonly #listening: Listening
  readonly #stopTiming: () => void

  /** @param took is told of each duration */
  constructor(app: FastifyInstance, took: DurationListener) {
    this.#facts = factsOf(app)
    this.#took = took
    const listening = new Listening(app)
    this.#listening = listening
    this.#stopTiming = this.#facts.callTimer.listen((route, ms) => {
      listening.isolate(() => took('calls', [route], ms / 1_000))
    })
    this.#listen(listening)
  }

  /** Counts nothing more. */
  stop(): void {
    this.#listening.stop()
    this.#stopTiming()
  }

  read(): Reading {
    const reading = tallies()
    this.#readStats(reading, this.#facts.stats())
    for (const [route, traffic] of this.#facts.traffic()) {
      reading.interrupted.set([route], traffic.interrupted)
      reading.messagesReceived.set([route], traffic.messagesReceived)
      reading.messagesSent.set([route], traffic.messagesSent)
      reading.bytesReceived.set([route], traffic.bytesReceived)
      reading.bytesSent.set([route], traffic.bytesSent)
      reading.inboxMessages.set([route], traffic.inboxMessages)
      reading.inboxBytes.set([route], traffic.inboxBytes)
      reading.outboxBytes.set([route], traffic.outboxBytes)
    }
    for (const key of NUMBER_KEYS) {
      for (const [labels, value] of this.#told[key]) reading[key].add(labels, value)
      if (NUMBERS[key].kind === 'counter') reading[key].neverBelow(this.#last[key])
    }
    return reading
  }

  /** Without a route are those that are in the sum of all and in no route. */
  #readStats(reading: Reading, stats: LifecycleStats): void {
    for (const [reason, count] of Object.entries(stats.refused)) {
      reading.refused.set(['', reason], count)
    }
    reading.overran.set([''], stats.abandoned)
    for (const [route, counts] of Object.entries(stats.byRoute)) {
      reading.open.set([route], counts.open)
      reading.opened.set([route], counts.opened)
      reading.overran.set([route], counts.abandoned)
      reading.overran.add([''], -counts.abandoned)
      beginAtZero(reading, route)
      for (const [cause, count] of Object.entries(counts.closed)) {
        reading.closed.set([route, cause], count)
      }
      for (const [reason, count] of Object.entries(counts.refused)) {
        reading.refused.set([route, reason], count)
        reading.refused.add(['', reason], -count)
      }
    }
  }

  #listen(listening: Listening): void {
    const told = this.#told
    const took = this.#took
    for (const key of ['stalls', 'stalled', 'postponed'] as const) told[key].set([], 0)
    listening.onEvent('connection.closed', ({ route, close }) => {
      took('duration', [route], close.duration / 1_000)
    })
    listening.onEvent('connection.released', ({ route, steps }) => {
      for (const { name, duration } of steps) {
        // A release is named after its function, of which there may be many.
        const [step = ''] = name.split(' ', 1)
        took('steps', [route, step], duration / 1_000)
      }
    })
    listening.onEvent('session.interrupted', ({ route, close }) => {
      told.interruptions.add([route, close.cause], 1)
    })
    listening.onEvent('session.resumed', ({ route }) => told.resumptions.add([route], 1))
    listening.onEvent('reading.paused', ({ route, by }) => told.paused.add([route, by], 1))
    listening.onEvent('outbox.stuck', ({ route }) => told.stuck.add([route], 1))
    listening.onEvent('messages.dropped', ({ route, direction, count }) => {
      told.dropped.add([route, direction], count)
    })
    listening.onEvent('peer.ponged', ({ route, latency }) =>
      took('latency', [route], latency / 1_000),
    )
    listening.onEvent('verdict.averted', ({ route, cause }) => told.averted.add([route, cause], 1))
    listening.onEvent('loop.stalled', ({ lateness, postponed }) => {
      told.stalls.add([], 1)
      told.stalled.add([], lateness / 1_000)
      told.postponed.add([], postponed)
    })
    listening.onEvent('drain.ended', ({ report }) => took('drains', [], report.duration / 1_000))
  }
}

/** A counter that begins with its first event hides that one: Prometheus sees no rise. */
function beginAtZero({ dropped, paused, resumptions, stuck }: Reading, route: string): void {
  for (const direction of ['received', 'sent']) dropped.set([route, direction], 0)
  for (const by of ['app', 'inbox']) paused.set([route, by], 0)
  for (const tally of [resumptions, stuck]) tally.set([route], 0)
}

/** A reading of nothing. */
export function tallies(): Reading {
  const each = NUMBER_KEYS.map((key) => [key, new Tally()])
  return Object.fromEntries(each) as Record<NumberKey, Tally>
}
