/** What a full run writes down, and the documents are made of. */
import { existsSync, readFileSync } from 'node:fs'
import { cpus, release, totalmem, type } from 'node:os'
import { path } from './contestants.js'
import type { Spread } from './numbers.js'

/** How a contestant did in one figure. */
export interface Result {
  readonly scenario: string
  readonly figure: string
  readonly unit: string
  readonly contestant: string
  readonly rounds: number
  readonly value: Spread
  readonly against?: string
  /** Of each round's pair of values. */
  readonly ratio?: Spread
}

export interface Results {
  readonly date: string
  readonly machine: ReturnType<typeof thisMachine>
  /** Contestants that could not be started there. */
  readonly leftOut: readonly string[]
  readonly results: readonly Result[]
}

const PACKAGES = ['fastify', '@fastify/websocket', 'ws', 'socket.io', 'bun']

export function thisMachine() {
  const versions: Record<string, string> = { node: process.versions.node }
  for (const name of PACKAGES) {
    const files = ['..', '.'].map((root) => path(`${root}/node_modules/${name}/package.json`))
    const file = files.find((each) => existsSync(each))
    const about: unknown = file && JSON.parse(readFileSync(file, 'utf8'))
    versions[name] = (about as { version: string } | undefined)?.version ?? 'not installed'
  }
  const memory = `${Math.round(totalmem() / 2 ** 30)} GiB`
  // Without what says who has built the kernel: that differs from one start of a virtual machine to the next.
  const system = `${type()} ${release().split('-', 1).join()}`
  return { cpu: cpus()[0]?.model ?? 'unknown', cores: cpus().length, memory, system, versions }
}

/** A result a line, so that it can be read and compared; of a number 8 digits. */
export function toJson({ results, ...others }: Results): string {
  const head = JSON.stringify(others, null, 2).replace(/\n\}$/, '')
  const lines = results.map((result) =>
    JSON.stringify(result, (_key, value: unknown) =>
      typeof value === 'number' ? Number(value.toPrecision(8)) : value,
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
  wanted: Pick<Result, 'scenario' | 'figure' | 'contestant'>,
): Result {
  const { scenario, figure, contestant } = wanted
  const found = results
    .filter((each) => each.scenario === scenario && each.figure === figure)
    .find((each) => each.contestant === contestant)
  if (found === undefined) throw new Error(`No result of ${contestant} in ${scenario}: ${figure}`)
  return found
}
