import type { Server, Settings } from './server.js'

/** By figure; `NaN` where a contestant has none. */
export type Values = Readonly<Record<string, number>>

/** What a contestant has to reach, as a ratio to its reference or as a value. */
export interface Target {
  readonly contestant: string
  readonly figure: string
  readonly of: 'ratio' | 'value'
  /** What we aim for; the other direction is free. */
  readonly goal: number
  /** What the gate lets pass on any machine, however noisy; without it the gate does not look. */
  readonly bound?: number | undefined
}

interface Declared {
  readonly name: string
  /** A sentence for the table. */
  readonly title: string
  /** Who takes part, and whom each is compared with. */
  readonly entrants: Readonly<Record<string, string | null>>
  /** Each with its unit. */
  readonly figures: Readonly<Record<string, string>>
  readonly targets: readonly Target[]
  readonly settings?: Settings
}

interface OneByOne extends Declared {
  /** Measures a fresh process. @param size of what is published: less of it is a coarse answer */
  measure(server: Server, size: number): Promise<Values>
}

interface InTurn extends Declared {
  /** Measures the fresh processes of all contestants, each many times. */
  measureInTurn(servers: readonly Server[], size: number): Promise<readonly Values[]>
}

export type Scenario = OneByOne | InTurn

/** Of a figure there may be much or little. */
export function betterOf(unit: string): 'more' | 'less' {
  return unit === '/s' ? 'more' : 'less'
}

export function ratio(figure: string, goal: number, bound?: number, contestant = 'ours'): Target {
  return { contestant, figure, of: 'ratio', goal, bound }
}

export function value(figure: string, goal: number, bound?: number): Target {
  return { contestant: 'ours', figure, of: 'value', goal, bound }
}
