/** A promise with a method that resolves it. The promise is made only when somebody asks for it. */
export class Deferred<T> {
  #promise: Promise<T> | undefined
  #resolve: ((value: T) => void) | undefined
  #settled: { readonly value: T } | undefined

  get promise(): Promise<T> {
    this.#promise ??=
      this.#settled === undefined
        ? new Promise((resolve) => {
            this.#resolve = resolve
          })
        : Promise.resolve(this.#settled.value)
    return this.#promise
  }

  resolve(value: T): void {
    this.#settled = { value }
    this.#resolve?.(value)
  }
}
