// A property: it holds in every schedule of a model. One that fails is printed as a script that plays it once more.
import * as fc from 'fast-check'
import { SEED, tellOfFewer } from './runs.js'

/** Schedules of what may happen, as plain data, and what plays them. */
export interface Model<Schedule> {
  /** The name by which its module exports it. */
  readonly name: string
  /** The file of that module, in this folder. */
  readonly file: string
  readonly schedules: fc.Arbitrary<Schedule>
  /** @throws (rejects) if something is not as the model says */
  readonly play: (schedule: Schedule) => Promise<void>
}

/** A schedule that has failed is shrunk for so long, in ms; and each run has so long, all together. */
const SHRINKS = 30_000
const RUN = 300

/**
 * Plays the same schedules each time, unless `SEED=n` says which.
 * @throws (rejects) with the script of a schedule that fails, and why it does
 */
export async function holds<Schedule>(model: Model<Schedule>, runs: number): Promise<void> {
  const property = fc.asyncProperty(model.schedules, model.play)
  const result = await fc.check(property, {
    numRuns: runs,
    plugins: [fc.interruptAfterTimeLimit(RUN * runs + SHRINKS)],
    seed: SEED,
  })
  tellOfFewer(result, runs)
  if (!result.failed || result.counterexample === null) return
  const [schedule] = result.counterexample as [Schedule]
  const { errorInstance: cause, seed, numRuns, numShrinks } = result
  const why = cause instanceof Error ? cause.message : String(cause)
  throw new Error(
    `Failed at run ${numRuns}, shrunk ${numShrinks} times (SEED=${seed} begins the same way): ${why}\n\n${scriptOf(model, schedule)}`,
    { cause },
  )
}

/** The schedule as code, one command on each line, so that it can be shortened by hand. */
export function scriptOf<Schedule>({ file, name }: Model<Schedule>, schedule: Schedule): string {
  return `// Save it as replay.mts beside package.json, and run: node --import tsx replay.mts
import { ${name} } from './test/support/models/${file}'

await ${name}.play(${literalOf(schedule)})
`
}

function literalOf(value: unknown, indent = ''): string {
  const inner = `${indent}  `
  if (Array.isArray(value) && value.length > 0) {
    const items = value.map((item: unknown) => `${inner}${literalOf(item, inner)},\n`)
    return `[\n${items.join('')}${indent}]`
  }
  if (typeof value !== 'object' || value === null || !hasList(value)) return JSON.stringify(value)
  const fields = Object.entries(value).map(
    ([name, field]) => `${inner}${JSON.stringify(name)}: ${literalOf(field, inner)},\n`,
  )
  return `{\n${fields.join('')}${indent}}`
}

function hasList(value: object): boolean {
  return Object.values(value).some((field) => Array.isArray(field) && field.length > 0)
}
