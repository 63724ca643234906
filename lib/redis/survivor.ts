import { Claim } from './claim.js'
import { ClaimedNode, type Cleaner } from './claimed-node.js'
import { Claims } from './claims.js'
import type { Part } from './here.js'

/** How long a node is passed over, in ms: its records are not kept for so long. */
const PASSED_OVER = 25 * 60 * 60 * 1_000

/** Cleans up after nodes that are gone: those that it can claim, one after the other, so that others have a share. */
export class Survivor implements Part {
  readonly #cleaner: Cleaner
  readonly #lease: number
  readonly #claims: Claims
  readonly #held = new Map<string, Claim>()
  /**
   * Nodes that were given back because there is no route here for what they left, and when. No record can be added to a
   * claimed node. So this server can never do more for it, and claims it no more: all servers get their one chance,
   * also those that start later, and nobody claims in turns for ever.
   */
  readonly #passedOver = new Map<string, number>()
  /** Nodes that may be claimed. */
  #dead: string[] = []
  /** When a renewal has named them, by Redis's clock. */
  #toldAt = 0
  #isClaiming = false
  #hasLeft = false

  /** @param lease how long a claim lasts, in ms */
  constructor(cleaner: Cleaner, lease: number) {
    this.#cleaner = cleaner
    this.#lease = lease
    this.#claims = new Claims(cleaner.here, lease)
  }

  /**
   * @param nodes all that may be claimed
   * @param toldAt see {@link Claims.claim}
   */
  onDead(nodes: readonly string[], toldAt: number): void {
    if (this.#hasLeft) return
    const now = this.#cleaner.here.clock.now()
    for (const [node, since] of this.#passedOver) {
      if (now - since >= PASSED_OVER) this.#passedOver.delete(node)
    }
    this.#dead = [...nodes]
    this.#toldAt = toldAt
    if (this.#isClaiming) return
    this.#isClaiming = true
    void this.#claimAll().then(() => {
      this.#isClaiming = false
    })
  }

  writeAgain(): void {
    // Claims are written with each extension.
  }

  fenced(): void {
    this.cutOff()
  }

  /** Others may claim now what was ours. */
  cutOff(): void {
    this.#dead = []
    for (const claim of this.#held.values()) claim.end()
  }

  /** Gives back what it has claimed, once the releases that run have settled or have taken too long. */
  async leave(): Promise<void> {
    this.#hasLeft = true
    this.#dead = []
    await this.#cleaner.cleanups.stop()
    await Promise.all(Array.from(this.#held.values(), (claim) => claim.giveBack()))
  }

  async #claimAll(): Promise<void> {
    for (let node = this.#dead.shift(); node !== undefined; node = this.#dead.shift()) {
      if (this.#held.has(node) || this.#passedOver.has(node)) continue
      const claim = await this.#claim(node)
      if (claim !== undefined) await this.#clean(claim)
    }
  }

  async #claim(node: string): Promise<Claim | undefined> {
    const { clock } = this.#cleaner.here
    const askedAt = clock.now()
    // If Redis cannot be asked, the node will be named again.
    const fence = await this.#claims.claim(node, this.#toldAt).catch(() => undefined)
    if (fence === undefined) return undefined
    return new Claim(clock, this.#claims, this.#lease, { node, fence, askedAt })
  }

  /** Resolves when there is room for another node. */
  async #clean(claim: Claim): Promise<void> {
    if (this.#hasLeft) return claim.giveBack()
    const { node } = claim
    const claimed = new ClaimedNode(this.#cleaner, claim)
    this.#held.set(node, claim)
    void claimed.clean().then((isForeign) => {
      if (isForeign) this.#passedOver.set(node, this.#cleaner.here.clock.now())
      this.#held.delete(node)
    })
    await claimed.allTried
  }
}
