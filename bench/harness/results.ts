/** What a full run writes down, and the pictures are drawn from. */
import type { Machine } from './machine.js'
import type { Result } from './rounds.js'

export interface Results {
  readonly date: string
  readonly machine: Machine
  /** Contestants that could not be started there. */
  readonly leftOut: readonly string[]
  readonly results: readonly Result[]
}

const DIGITS = 8

/** A result a line, so that it can be read and compared. */
export function toJson({ results, ...others }: Results): string {
  const head = JSON.stringify(others, null, 2).replace(/\n\}$/, '')
  const lines = results.map((result) =>
    JSON.stringify(result, (_key, value: unknown) =>
      typeof value === 'number' ? Number(value.toPrecision(DIGITS)) : value,
    ),
  )
  return `${head},\n  "results": [\n    ${lines.join(',\n    ')}\n  ]\n}\n`
}

/** JSON has no `NaN`: it writes `null`. */
export function fromJson(text: string): Results {
  return JSON.parse(text, (_key, value: unknown) => value ?? NaN) as Results
}

export function find(
  results: readonly Result[],
  { scenario, figure, contestant }: Pick<Result, 'scenario' | 'figure' | 'contestant'>,
): Result {
  const found = results.find(
    (each) =>
      each.scenario === scenario && each.figure === figure && each.contestant === contestant,
  )
  if (found === undefined) throw new Error(`No result of ${contestant} in ${scenario}: ${figure}`)
  return found
}
