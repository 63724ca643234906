/** What a neighbour keeps for those who visit it, such as a generator, a document or a user. */
export class Kept {
  #count = 0

  get count(): number {
    return this.#count
  }

  /** @returns what the neighbour's own cleanup calls, once or more often */
  keep(): () => void {
    this.#count++
    let isKept = true
    return () => {
      if (isKept) this.#count--
      isKept = false
    }
  }
}
