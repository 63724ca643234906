// Peers that do all that a client has to do. They are never cut off, but for a limit that they know.
import { randomFrom } from '../../../support/models/random.js'
import { connect, type Peer } from '../../../../lib/testing/index.js'
import { CREDENTIALS, IDLE_TIMEOUT, LONGEST_STALL, MAX_LIFETIME } from '../timings.js'
import { isNetwork, LONG } from './wild.js'
import type { World } from './world.js'

/** What is late on a busy machine, in ms. */
const SLACK = 3_000
/** How late an end by a limit may be: each stall of the server moves it, and a busy machine is one. */
const LATEST = 20 * LONGEST_STALL
/** What a connection may be told by its own limit: the plugin takes up to a tenth less of a lifetime. */
const SHORTEST_LIFE = MAX_LIFETIME * 0.9 - 20

type Live = (peer: Peer, healthy: HealthyPeer) => Promise<void>

/** A connection that has ended, and nobody knows why. */
class CutError extends Error {}

/** One life after the other on one route. */
export class HealthyPeer {
  readonly world: World
  readonly random: () => number
  readonly name: string
  readonly #path: string
  readonly #live: Live

  constructor(world: World, seed: number, name: string, path: string, live: Live) {
    this.world = world
    this.random = randomFrom(seed)
    this.name = name
    this.#path = path
    this.#live = live
  }

  async run(): Promise<void> {
    const { random, world } = this
    while (world.isOn) {
      const peer = await this.connect()
      if (peer === undefined) return
      await this.#watch(peer)
      await world.pause(random() * 300)
    }
  }

  /** @returns `undefined` if the server leaves */
  async connect(): Promise<Peer | undefined> {
    const { log, url } = this.world
    try {
      const peer = await connect(url, `${this.#path}?who=${this.name}`, { timeout: LONG })
      log.healthyOpened++
      log.opened++
      return peer
    } catch (error) {
      if (!this.world.isDraining) log.fault(`${this.name} could not connect: ${String(error)}`)
      else if (!isNetwork(error) && !String(error).includes('503')) log.fault(String(error))
      return undefined
    }
  }

  /** Says goodbye, and expects the same. */
  async leave(peer: Peer): Promise<void> {
    const { code, reason } = await peer.close(1000)
    if (code !== 1000) this.world.cut(`${this.name}, which was leaving`, code, reason)
  }

  /** Sends so many messages at once, and expects all of them back, in order. */
  async exchange(peer: Peer, messages: ReadonlyArray<string | Buffer>): Promise<void> {
    for (const message of messages) peer.send(message)
    for (const [index, message] of messages.entries()) {
      const answer = await this.next(peer)
      this.world.log.answers++
      const isSame =
        typeof message === 'string' || typeof answer === 'string'
          ? message === answer
          : message.equals(answer)
      if (!isSame) this.fault(`message ${index} of ${messages.length} came back as another one`)
    }
  }

  /** @throws CutError */
  async next(peer: Peer): Promise<string | Buffer> {
    const { done, value } = await peer[Symbol.asyncIterator]().next()
    if (done !== true) return value
    const { code, reason } = await peer.closed
    this.world.log.codes.add(String(code))
    this.world.cut(this.name, code, reason)
    throw new CutError()
  }

  /** The server's own end, by a limit. */
  async expectEnd(peer: Peer, code: number, within: number): Promise<void> {
    peer.timeout = within
    const close = await peer.closed
    this.world.log.codes.add(String(close.code))
    if (close.code !== code) this.world.cut(this.name, close.code, close.reason)
  }

  fault(text: string): void {
    this.world.log.fault(`${this.name}: ${text}`)
  }

  async #watch(peer: Peer): Promise<void> {
    try {
      await this.#live(peer, this)
    } catch (error) {
      if (!(error instanceof CutError)) this.fault(String(error))
      peer.reset()
    }
  }
}

/** Talks for some time, or to the end, and leaves. */
export const talks =
  (messageOf: (random: () => number, number: number) => string | Buffer, most = 5): Live =>
  async (peer, healthy) => {
    const { random, world } = healthy
    const until = performance.now() + 1_000 + random() ** 3 * 120_000
    for (let number = 0; world.isOn && performance.now() < until;) {
      const count = 1 + Math.floor(random() * most)
      await healthy.exchange(
        peer,
        Array.from({ length: count }, () => messageOf(random, number++)),
      )
      await world.pause(50 + random() * 250)
    }
    await healthy.leave(peer)
  }

export const order = (_random: () => number, n: number): string => JSON.stringify({ n })

export function anything(random: () => number, number: number): string | Buffer {
  const text = `${number} ${'äx'.repeat(Math.floor(random() ** 4 * 10_000))}`
  return random() < 0.5 ? text : Buffer.from(text)
}

/** Never quiet for as long as the limit. */
export const isNeverIdle = talks((_random, number) => String(number), 2)

/** Stays quiet, and is sent away for that: not earlier. */
export const isIdle: Live = async (peer, healthy) => {
  // The server hears this later than it was sent.
  const from = performance.now()
  await healthy.exchange(peer, ['hi'])
  await ends(
    peer,
    healthy,
    3008,
    IDLE_TIMEOUT - 20 - (performance.now() - from),
    IDLE_TIMEOUT * 1.1,
  )
}

export const ages: Live = async (peer, healthy) => {
  await healthy.exchange(peer, ['hi'])
  await ends(peer, healthy, 1001, SHORTEST_LIFE - LONGEST_STALL - SLACK, MAX_LIFETIME)
}

export const expires: Live = async (peer, healthy) => {
  await ends(peer, healthy, 3000, CREDENTIALS - LONGEST_STALL - SLACK, CREDENTIALS)
}

/** It is sent away with this code: not before, and not long after. Times in ms from now on. */
async function ends(
  peer: Peer,
  healthy: HealthyPeer,
  code: number,
  from: number,
  to: number,
): Promise<void> {
  const startedAt = performance.now()
  await healthy.expectEnd(peer, code, to + LATEST)
  const lasted = Math.round(performance.now() - startedAt)
  if (lasted < from && !healthy.world.isDraining) healthy.fault(`${code} after ${lasted} ms`)
}

/** Reads what is sent to its group: each number is one more than the one before. */
export const follows =
  (mayMiss: boolean): Live =>
  async (peer, healthy) => {
    const { random, world } = healthy
    const until = performance.now() + 1_000 + random() ** 3 * 120_000
    let last: number | undefined
    while (world.isOn && performance.now() < until) {
      const number = Number(String(await healthy.next(peer)).split(' ', 1)[0])
      world.log.answers++
      const isRight = last === undefined || number === last + 1 || (mayMiss && number > last)
      if (!isRight) healthy.fault(`number ${number} after ${last}`)
      last = number
    }
    await healthy.leave(peer)
  }

/** Opens one connection after the other: the newest stays, and each before it hears so. */
export const replacesItself: Live = async (peer, healthy) => {
  const { random, world } = healthy
  let current = peer
  for (let round = 0; round < 5 && world.isOn; round++) {
    await healthy.exchange(current, [`round ${round}`])
    await world.pause(random() * 1_000)
    const ended = healthy.expectEnd(current, 4409, LONG)
    const [next] = await Promise.all([healthy.connect(), ended])
    if (next === undefined) return
    current = next
  }
  await healthy.exchange(current, ['the last one'])
  await healthy.leave(current)
}
