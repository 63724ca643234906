/** The clock of the server, as far as it has told. */
export class ServerClock {
  #ahead: number | undefined

  /** @param at what the server's clock shows now */
  set(at: number): void {
    this.#ahead = at - performance.now()
  }

  /** In epoch ms; 0 before the server has told it. */
  now(): number {
    return this.#ahead === undefined ? 0 : performance.now() + this.#ahead
  }
}
