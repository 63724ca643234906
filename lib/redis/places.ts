import type { ClusterPlace, Placed } from '../cluster/cluster.js'
import type { Here } from './here.js'
import { type Keeper, Kept } from './keeper.js'
import type { Mail, Reply } from './mail.js'
import type { Request } from './protocol.js'
import { PLACE } from './scripts/place.js'
import { markOfPlace, memberOf } from './sweep.js'
import { orAfter } from './within.js'

/** How long an upgrade waits for Redis and for other nodes, in ms. */
const PATIENCE = 2_000

/** Whom a place belongs to, and how it gets and loses it. */
interface Home {
  readonly here: Here
  drop(place: Place, id: string): void
  /**
   * Tells those that have to give way for this place.
   * @param places the name of all places of the key
   */
  tell(place: Place, members: readonly string[], places: string): Promise<void>
}

/** A place of a key, of the newest `max` over all nodes. */
class Place extends Kept implements ClusterPlace {
  readonly mark: string
  readonly #id: string
  readonly #home: Home
  /** The name of all places of the key. */
  readonly #places: string
  readonly #max: number
  readonly #takenAt: number
  #owner: Placed
  /** When it was taken, in µs of Redis's clock; `undefined` until Redis was asked. */
  #score: number | undefined
  /** As what it stands among the places, or has stood before this node was fenced. */
  #member = ''
  #hasToGo = false
  #told: Promise<void> | undefined

  constructor(id: string, places: string, max: number, owner: Placed, home: Home) {
    super()
    this.mark = markOfPlace(id, places)
    this.#id = id
    this.#places = places
    this.#max = max
    this.#owner = owner
    this.#home = home
    this.#takenAt = home.here.clock.now()
  }

  handTo(owner: Placed): void {
    this.#owner = owner
    if (this.#hasToGo) owner.giveWay()
  }

  giveBack(): void {
    this.#home.drop(this, this.#id)
  }

  giveWay(): void {
    this.#hasToGo = true
    this.#owner.giveWay()
  }

  /** Resolves when those who have to give way for it have been told, as well as it goes. */
  async settled(): Promise<void> {
    await this.rested
    await this.#told
  }

  async write(node: string, ahead: number): Promise<void> {
    const { redis } = this.#home.here
    this.#score ??= Math.round(this.#takenAt * 1_000 + ahead)
    const member = memberOf(node, this.#id)
    const former = this.#member === member ? '' : this.#member
    this.#member = member
    const tooMany = (await redis.run(
      PLACE,
      [this.#places],
      member,
      this.#score,
      this.#max,
      former,
    )) as string[]
    // Not awaited: others are to be written meanwhile.
    if (tooMany.length > 0) this.#told = this.#home.tell(this, tooMany, this.#places)
  }

  async erase(node: string): Promise<unknown> {
    return this.#home.here.redis.command('ZREM', this.#places, memberOf(node, this.#id))
  }
}

/**
 * The places of keys that are counted over all nodes: the newest stay. While Redis is away each node counts for itself,
 * and what is too many by then gives way when Redis is back.
 */
export class Places implements Home {
  readonly here: Here
  readonly #mail: Mail
  readonly #keeper: Keeper
  /** Those that are not given back. */
  readonly #taken = new Map<string, Place>()
  #lastId = 0

  constructor(here: Here, keeper: Keeper, mail: Mail) {
    this.here = here
    this.#mail = mail
    this.#keeper = keeper
    mail.serve(async (request, reply) => this.#serve(request, reply))
  }

  /**
   * Resolves when those who have to give way are told, at the latest after 2 s. Never rejects. The owner may have to
   * give way before that.
   */
  async takePlace(of: string, key: string, max: number, owner: Placed): Promise<ClusterPlace> {
    const id = (++this.#lastId).toString(36)
    const place = new Place(id, this.here.names.placesOf(of, key), max, owner, this)
    this.#taken.set(id, place)
    const settled = place.settled()
    this.#keeper.put(place)
    await orAfter(this.here.clock, PATIENCE, settled)
    return place
  }

  drop(place: Place, id: string): void {
    this.#taken.delete(id)
    this.#keeper.drop(place)
  }

  async tell(place: Place, members: readonly string[], places: string): Promise<void> {
    const idsOf = new Map<string, string[]>()
    for (const member of members) {
      const dot = member.lastIndexOf('.')
      const node = member.slice(0, dot)
      idsOf.set(node, [...(idsOf.get(node) ?? []), member.slice(dot + 1)])
    }
    try {
      const deaf = await this.#tellEach(idsOf)
      for (const node of deaf) idsOf.delete(node)
      const told = [...idsOf].flatMap(([node, ids]) => ids.map((id) => memberOf(node, id)))
      if (told.length > 0) await this.here.redis.command('ZREM', places, ...told)
      if (deaf.length > 0) this.#keeper.retry(place)
    } catch (error) {
      this.#keeper.failed(place, error)
    }
  }

  async #serve(request: Request, reply: Reply): Promise<void> {
    if (request.op !== 'replace') return
    for (const id of request.places) this.#giveWay(id)
    await reply({}, true)
  }

  /** @returns the nodes that are alive, and did not answer */
  async #tellEach(idsOf: ReadonlyMap<string, readonly string[]>): Promise<readonly string[]> {
    const { id } = this.here
    for (const own of idsOf.get(id) ?? []) this.#giveWay(own)
    const others = [...idsOf].filter(([node]) => node !== id)
    if (others.length === 0) return []
    const round = await this.#mail.beginRound()
    const unreached = others
      .filter(([node]) => round.live.has(node))
      .map(async ([node, places]) => this.#mail.ask([node], { op: 'replace', places }, round))
    return (await Promise.all(unreached)).flat()
  }

  #giveWay(id: string): void {
    this.#taken.get(id)?.giveWay()
  }
}
