import type { LabelValues } from './instruments.js'

/** One value for each combination of the values of labels; made when it is first asked for. */
export class ByLabels<Value> {
  readonly #make: (labels: LabelValues) => Value
  readonly #byKey = new Map<string, Value>()

  constructor(make: (labels: LabelValues) => Value) {
    this.#make = make
  }

  get values(): Iterable<Value> {
    return this.#byKey.values()
  }

  of(labels: LabelValues): Value {
    const key = labels.join('\n')
    const known = this.#byKey.get(key)
    if (known !== undefined) return known
    const value = this.#make(labels)
    this.#byKey.set(key, value)
    return value
  }
}
