/** What a session costs beside the messages that are kept for it, in bytes. */
const WEIGHT_OF_A_SESSION = 8 * 1024

/** The suspended sessions of a route, in the order of their suspension, and the bytes that they keep. */
export class Away<Session> {
  readonly #maxBytes: number
  readonly #weights = new Map<Session, number>()
  #bytes = 0

  /** @param maxBytes how much all of them may keep */
  constructor(maxBytes: number) {
    this.#maxBytes = maxBytes
  }

  /** The session that has to end because they keep too much: the longest suspended one. */
  get surplus(): Session | undefined {
    if (this.#bytes <= this.#maxBytes) return undefined
    const [longest] = this.#weights.keys()
    return longest
  }

  /** @param kept bytes that its messages take */
  add(session: Session, kept: number): void {
    const weight = WEIGHT_OF_A_SESSION + kept
    this.#weights.set(session, weight)
    this.#bytes += weight
  }

  /** More messages are kept for a suspended session. */
  grow(session: Session, bytes: number): void {
    const weight = this.#weights.get(session)
    if (weight === undefined) return
    this.#weights.set(session, weight + bytes)
    this.#bytes += bytes
  }

  delete(session: Session): void {
    this.#bytes -= this.#weights.get(session) ?? 0
    this.#weights.delete(session)
  }
}
