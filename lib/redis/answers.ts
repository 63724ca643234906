import type { Answer } from './protocol.js'

/** What other nodes answer to one request. */
export class Answers {
  /** Resolves when all have answered, or time is up. */
  readonly over: Promise<void>
  readonly #nodes: readonly string[]
  readonly #take: (node: string, answer: Answer) => void
  /** How many parts of its answer each node that is waited for has sent. */
  readonly #parts: Map<string, number>
  readonly #unreached = new Set<string>()
  #resolve!: () => void
  #reject!: (error: unknown) => void

  constructor(nodes: readonly string[], take: (node: string, answer: Answer) => void) {
    this.#nodes = nodes
    this.#take = take
    this.#parts = new Map(nodes.map((node) => [node, 0]))
    this.over = new Promise((resolve, reject) => {
      this.#resolve = resolve
      this.#reject = reject
    })
  }

  /** The nodes that have not answered, or not in full. */
  get unreached(): readonly string[] {
    return this.#nodes.filter((node) => this.#parts.has(node) || this.#unreached.has(node))
  }

  /** A part of an answer has come. */
  take(node: string, answer: Answer): void {
    const known = this.#parts.get(node)
    // It is not asked, or not waited for any more; or the part was sent twice.
    if (known === undefined || answer.part < known) return
    if (answer.part > known) {
      this.giveUp(node)
      return
    }
    this.#parts.set(node, known + 1)
    this.#take(node, answer)
    if (answer.isLast) this.done(node)
  }

  /** It has answered, or need not. */
  done(node: string): void {
    this.#parts.delete(node)
    if (this.#parts.size === 0) this.#resolve()
  }

  /** It does not hear, or a part of its answer was lost. */
  giveUp(node: string): void {
    this.#unreached.add(node)
    this.done(node)
  }

  /** Time is up. */
  end(): void {
    this.#resolve()
  }

  fail(error: unknown): void {
    this.#reject(error)
  }
}
