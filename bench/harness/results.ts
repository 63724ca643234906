/** What a full run writes down, and the pictures are drawn from. */
import { existsSync, readFileSync } from 'node:fs'
import { cpus, release, totalmem, type } from 'node:os'
import { path } from './contestants.js'
import type { Spread } from './numbers.js'

/** How a contestant did in one figure. */
export interface Result {
  readonly scenario: string
  readonly figure: string
  readonly unit: string
  readonly better: 'more' | 'less'
  readonly contestant: string
  readonly rounds: number
  readonly value: Spread
  readonly against?: string
  /** Of each round's pair of values. */
  readonly ratio?: Spread
}

export interface Machine {
  readonly cpu: string
  readonly cores: number
  readonly memory: string
  readonly system: string
  readonly versions: Readonly<Record<string, string>>
}

export interface Results {
  readonly date: string
  readonly machine: Machine
  /** Contestants that could not be started there. */
  readonly leftOut: readonly string[]
  readonly results: readonly Result[]
}

export function thisMachine(): Machine {
  const folders = {
    fastify: '..',
    '@fastify/websocket': '..',
    ws: '..',
    'socket.io': '.',
    bun: '.',
  }
  const versions = Object.entries(folders).map(([name, folder]): [string, string] => {
    const file = path(`${folder}/node_modules/${name}/package.json`)
    if (!existsSync(file)) return [name, 'not installed']
    return [name, (JSON.parse(readFileSync(file, 'utf8')) as { version: string }).version]
  })
  return {
    cpu: cpus()[0]?.model ?? 'unknown',
    cores: cpus().length,
    memory: `${Math.round(totalmem() / 2 ** 30)} GiB`,
    system: `${type()} ${release()}`,
    versions: Object.fromEntries([['node', process.versions.node], ...versions]),
  }
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

type Wanted = Pick<Result, 'scenario' | 'figure' | 'contestant'>

export function find(results: readonly Result[], wanted: Wanted): Result {
  const { scenario, figure, contestant } = wanted
  const found = results
    .filter((each) => each.scenario === scenario && each.figure === figure)
    .find((each) => each.contestant === contestant)
  if (found === undefined) throw new Error(`No result of ${contestant} in ${scenario}: ${figure}`)
  return found
}
