// Each node counts aloud. Whoever hears 7 after 5 has missed something.

export class Beats {
  missing = 0
  /** By node: its process, and the last number that was heard of it. */
  #last = new Map()

  /** Another session begins: it knows nothing of what was told before. */
  beginAnew() {
    this.#last.clear()
  }

  hear({ node, run, n }) {
    const last = this.#last.get(node)
    if (last?.run === run) this.missing += n - last.n - 1
    this.#last.set(node, { run, n })
  }
}
