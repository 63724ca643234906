import type { Settings } from '../servers/variant.js'
import type { Server } from './server.js'

/** `quick`: sizes for the gate, where a coarse answer is enough. */
export type Size = 'full' | 'quick'

export interface Figure {
  readonly name: string
  readonly unit: string
  readonly better: 'more' | 'less'
}

/** A contestant, and whom it is compared with. */
export interface Entrant {
  readonly name: string
  /** None: it is the measure of the others. */
  readonly against?: string
}

/** What a contestant has to reach, as a ratio to its reference or as a value. */
export interface Target {
  readonly contestant: string
  readonly figure: string
  readonly of: 'ratio' | 'value'
  /** What we aim for; the other direction is free. */
  readonly goal: number
  /** What the gate lets pass on any machine, however noisy; without it the gate does not look. */
  readonly bound?: number
}

/** By figure. */
export type Values = Readonly<Record<string, number>>

/** What each contestant has measured. */
export type Round = ReadonlyMap<string, Values>

interface Declared {
  readonly name: string
  /** A sentence for the table. */
  readonly title: string
  readonly entrants: readonly Entrant[]
  readonly figures: readonly Figure[]
  readonly targets: readonly Target[]
  /** What the servers are started with. */
  readonly settings?: Settings | ((size: Size) => Settings)
}

interface OneByOne extends Declared {
  /** Measures a fresh process; a value for each figure, `NaN` where a contestant has none. */
  measure(server: Server, size: Size): Promise<Values>
}

interface InTurn extends Declared {
  /** Measures the fresh processes of all contestants, each many times; the values of each server. */
  measureInTurn(servers: readonly Server[], size: Size): Promise<readonly Values[]>
}

export type Scenario = OneByOne | InTurn
