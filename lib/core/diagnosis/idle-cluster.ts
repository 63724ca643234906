import { LONGEST_LOOK } from '../budgets.js'

/** How long a side had sent nothing when the transport was lost, in ms: no message, no ping and no pong. */
export interface Silence {
  readonly received: number
  readonly sent: number
  /** Since our last ping, in ms. */
  readonly pinged: number
}

/** A connection that was lost unexpectedly. */
export interface Loss {
  /** In ms of the clock. */
  readonly at: number
  readonly route: string
  readonly silence: Silence
  /** The `keepalive.interval` of the route, `Infinity` without one. */
  readonly interval: number
}

/** Whose silence it was: `both` sides sent nothing, or at least one of them did not. */
export type Silent = 'both' | 'client' | 'server'

/** Losses that have one silence in common. */
export interface IdleCluster {
  readonly silent: Silent
  /** The silence after which they were lost, in ms: the shortest of them. */
  readonly age: number
  readonly count: number
  /** When the first of them was lost, in ms of the clock. */
  readonly since: number
  readonly routes: ReadonlyMap<string, number>
}

/** What is remembered: so many losses at most, and none that is older than a day. */
const MOST_LOSSES = 256
const MEMORY = 86_400_000

/**
 * Losses within so many ms count as one. If a proxy restarts, all its connections are lost in one moment, and
 * those that had heard of the same broadcast have the same silence. That says nothing about a timeout.
 */
const MOMENT = LONGEST_LOOK
/** More losses of one moment are not remembered, so that a storm does not push out all others. */
const MOST_OF_MOMENT = 8

/** An age counts as the same within this share of it, and within a look: a time may be known no better. */
const SPREAD = 0.02
/** No proxy that we know of has a shorter default. */
const SHORTEST_AGE = 10_000
const FEWEST = 10

/**
 * How likely it may be that chance has made a cluster, if its age were as frequent as those around it. That is
 * asked at each loss, so it has to be very unlikely.
 *
 * Simulated: 6,000 servers with 1,000 losses each at ages of six natural kinds, and 1,000 servers whose proxy
 * restarts 60 times. None of them was told of a cluster. A timeout that makes all losses is found at the
 * twelfth of them, one that makes a fifth of them after 55, and one that makes a twentieth after 350 (of 300
 * servers, 287 found it).
 */
const MOST_CHANCE = 1e-9
/** The neighbours of a window: so many on each side, each as wide as it. The nearest is left out. */
const NEIGHBOURS = 5

/**
 * A host that has no connection any more answers what we send with a reset, and some clients go when a ping, or
 * their answer, comes. Then the silence before was as long as our own pause. So a loss so soon after we have
 * sent something does not count.
 */
const ANSWERS_WITHIN = 2 * LONGEST_LOOK

/** The same cluster is told of again after so many ms. */
const TELLS_AGAIN_AFTER = 3_600_000

const AGES: { readonly [Side in Silent]: (silence: Silence) => number } = {
  both: ({ received, sent }) => Math.min(received, sent),
  client: ({ received }) => received,
  server: ({ sent }) => sent,
}

const SIDES = Object.keys(AGES) as Silent[]

/**
 * Finds an idle timeout somewhere between us and the clients: connections are lost again and again after the
 * same silence, and much more often than after a silence that is a little shorter or longer.
 */
export class IdleClusters {
  #losses: readonly Loss[] = []
  #told: Array<{ readonly age: number; readonly at: number }> = []

  /**
   * @param isOutlived whether connections live on that have been silent for longer: then it is no timeout.
   * Asked seldom.
   * @returns what this loss has made certain, once an hour
   */
  lost(loss: Loss, isOutlived: (cluster: IdleCluster) => boolean): IdleCluster | undefined {
    const losses = this.#losses
    const isFlood = loss.at - (losses.at(-MOST_OF_MOMENT)?.at ?? -Infinity) < MOMENT
    const isAnswer = Math.min(loss.silence.pinged, loss.silence.sent) < ANSWERS_WITHIN
    if (isFlood || isAnswer) return undefined
    const remembered = losses.filter(({ at }) => loss.at - at <= MEMORY)
    this.#losses = [...remembered.slice(1 - MOST_LOSSES), loss]
    this.#told = this.#told.filter(({ at }) => loss.at - at < TELLS_AGAIN_AFTER)
    const cluster = this.#certainOf(loss, isOutlived)
    if (cluster !== undefined) this.#told.push({ age: cluster.age, at: loss.at })
    return cluster
  }

  /**
   * A side that speaks each 25 s makes clusters of its own where the other one is cut off after 60 s: at 10 s,
   * for instance. There are connections that outlive these. If that leaves more than one age, none is certain.
   */
  #certainOf(loss: Loss, isOutlived: (cluster: IdleCluster) => boolean): IdleCluster | undefined {
    const found = SIDES.flatMap((side) => this.#clusterAround(loss, side) ?? [])
    if (found.every(({ age }) => this.#isTold(age))) return undefined
    const [first, ...others] = found.filter((cluster) => !isOutlived(cluster))
    if (first === undefined || this.#isTold(first.age)) return undefined
    return others.every(({ age }) => isSame(age, first.age)) ? first : undefined
  }

  #isTold(age: number): boolean {
    return this.#told.some((told) => isSame(told.age, age))
  }

  /** The cluster to which a loss belongs, if there is one. */
  #clusterAround(loss: Loss, silent: Silent): IdleCluster | undefined {
    const ageOf = (each: Loss): number => AGES[silent](each.silence)
    const own = ageOf(loss)
    // Where pings come that soon, silence has another reason: perhaps the client does not answer them.
    if (own < SHORTEST_AGE || loss.interval <= intervalBelow(own)) return undefined
    const width = widthAt(own)
    const near = this.#losses.filter((each) => Math.abs(ageOf(each) - own) < width)
    const windows = near
      .filter((first) => ageOf(first) <= own)
      .map((first) => near.filter((each) => isWithin(ageOf(each) - ageOf(first), 0, width)))
    const members = windows.reduce((most, each) => (each.length > most.length ? each : most))
    const count = momentsOf(members)
    if (count < FEWEST) return undefined
    const age = Math.min(...members.map(ageOf))
    const besides = (from: number): number =>
      this.#losses.filter((each) => isWithin(ageOf(each) - age, from, NEIGHBOURS * width)).length
    const neighbours = Math.max(besides(-(NEIGHBOURS + 1) * width), besides(2 * width))
    if (chanceOf(count, (neighbours + 1) / NEIGHBOURS) > MOST_CHANCE) return undefined
    const routes = new Map<string, number>()
    for (const { route } of members) routes.set(route, (routes.get(route) ?? 0) + 1)
    const since = Math.min(...members.map(({ at }) => at))
    return { silent, age, count: members.length, since, routes }
  }
}

/**
 * A `keepalive.interval` with which no connection is silent for so long. A ping may come a tenth of the
 * interval late, and its way takes time, too.
 */
export function intervalBelow(age: number): number {
  return Math.floor((age * 0.75) / 1_000) * 1_000
}

function isSame(age: number, other: number): boolean {
  return Math.abs(age - other) <= 2 * widthAt(other)
}

/** How long the silence of a connection is, of the side that a cluster is about. */
export function silenceOf(silence: Silence, silent: Silent): number {
  return AGES[silent](silence)
}

/** From which silence on a connection has outlived a timeout: times are not exact. */
export function outlives(age: number): number {
  return age + 2 * widthAt(age)
}

function isWithin(value: number, from: number, width: number): boolean {
  return value >= from && value < from + width
}

function widthAt(age: number): number {
  return Math.max(LONGEST_LOOK, age * SPREAD)
}

/** How many moments there are in losses that are in the order of time. */
function momentsOf(losses: readonly Loss[]): number {
  let moments = 0
  let last = -Infinity
  for (const { at } of losses) {
    if (at - last < MOMENT) continue
    moments++
    last = at
  }
  return moments
}

/** How likely it is that chance makes so many or more where `expected` are expected (Poisson). */
function chanceOf(count: number, expected: number): number {
  let term = Math.exp(-expected)
  for (let i = 1; i <= count; i++) term *= expected / i
  let sum = 0
  for (let i = count; term > MOST_CHANCE / 1_000; i++) {
    sum += term
    term *= expected / (i + 1)
  }
  return sum
}
