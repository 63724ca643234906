import assert from 'node:assert/strict'

/** What a node hears of the others. */
interface Renewed {
  /** Whether it had a lease, also one that is over. */
  readonly isKnown: boolean
  readonly live: readonly string[]
  readonly expired: readonly string[]
  readonly orphaned: readonly string[]
}

/** A node that was claimed by somebody, or of which nothing is left. */
type Death = { readonly claimEnd: number; readonly fence: string } | { readonly goneAt: number }

/** What Redis has to know of nodes. */
export class RegistryModel {
  now = 0
  readonly #lease: number
  readonly #kept: number
  readonly #leases = new Map<string, number>()
  readonly #deaths = new Map<string, Death>()
  /** Also of claims that Redis has lost. */
  readonly #fences = new Map<string, string[]>()
  #lastFence = 0

  constructor(lease: number, kept: number) {
    this.#lease = lease
    this.#kept = kept
  }

  get living(): string[] {
    return [...this.#leases.keys()]
  }

  get orphaned(): string[] {
    return this.#sorted([...this.#deaths.keys()], (name) => this.#isOrphaned(name))
  }

  fencesOf(name: string): readonly string[] {
    return this.#fences.get(name) ?? []
  }

  renew(name: string): Renewed | 'claimed' {
    if (this.#deaths.has(name)) return 'claimed'
    const isKnown = this.#leases.has(name)
    this.#leases.set(name, this.now + this.#lease)
    const others = this.living.filter((other) => other !== name)
    return {
      isKnown,
      live: this.#sorted(others, (other) => this.#leaseEnd(other) >= this.now),
      expired: this.#sorted(others, (other) => this.#leaseEnd(other) + this.#lease < this.now),
      orphaned: this.orphaned,
    }
  }

  /** A node may be claimed once its lease has been over for another lease; again, once its cleaner has been silent for one. */
  isFree(name: string): boolean {
    return this.#deaths.has(name)
      ? this.#isOrphaned(name)
      : this.#leaseEnd(name) + this.#lease < this.now
  }

  claim(name: string, fence: string): void {
    this.gives(fence)
    this.#fences.set(name, [...this.fencesOf(name), fence])
    this.#leases.delete(name)
    this.#deaths.set(name, { claimEnd: this.now + this.#lease, fence })
  }

  /** Each fence is greater than all before, whatever Redis has lost. */
  gives(fence: string): void {
    assert.ok(Number(fence) > this.#lastFence, `${fence} after ${this.#lastFence}`)
    this.#lastFence = Number(fence)
  }

  extend(name: string, fence: string): number {
    if (!this.#isClaimedWith(name, fence)) return 0
    this.#deaths.set(name, { claimEnd: this.now + this.#lease, fence })
    return 1
  }

  /** @param fence an empty one if the node leaves by itself */
  done(name: string, fence: string): number {
    const death = this.#deaths.get(name)
    if (death !== undefined && 'goneAt' in death) return 1
    const may = fence === '' ? death === undefined : this.#isClaimedWith(name, fence)
    if (!may) return 0
    this.#leases.delete(name)
    this.#deaths.set(name, { goneAt: this.now })
    for (const [other, one] of this.#deaths) {
      if ('goneAt' in one && one.goneAt + this.#kept < this.now) this.#deaths.delete(other)
    }
    return 1
  }

  empty(): void {
    this.#leases.clear()
    this.#deaths.clear()
  }

  #leaseEnd(name: string): number {
    return this.#leases.get(name) ?? Infinity
  }

  #isOrphaned(name: string): boolean {
    const death = this.#deaths.get(name)
    return death !== undefined && 'claimEnd' in death && death.claimEnd < this.now
  }

  #isClaimedWith(name: string, fence: string): boolean {
    const death = this.#deaths.get(name)
    return death !== undefined && 'fence' in death && death.fence === fence
  }

  #sorted(names: readonly string[], is: (name: string) => boolean): string[] {
    return names.filter(is).toSorted()
  }
}
