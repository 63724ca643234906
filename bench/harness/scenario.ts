/** What a scenario declares: who takes part, what is measured, and what ours has to reach. */
import type { Server, Settings } from './server.js'

/** By figure; `NaN` where a contestant has none. */
export type Values<Figure extends string = string> = Readonly<Record<Figure, number>>

/** What a contestant has to reach, as a ratio to its reference or as a value. */
export interface Target {
  readonly contestant: string
  readonly figure: string
  readonly of: 'ratio' | 'value'
  /** What we aim for; the other direction is free. */
  readonly goal: number
  /** What the gate lets pass on any machine; without it the gate does not look. */
  readonly bound?: number | undefined
}

/** Whom each contestant is compared with. */
type Entrants = Readonly<Record<string, string | null>>

/** It has one of the two ways to measure. Of what is published, `size` is a part. */
export interface Scenario<Figure extends string = string> {
  readonly name: string
  /** A sentence for the table, and for the picture. */
  readonly title: string
  readonly entrants: Entrants
  /** Each with its unit. What follows a comma stands below it in a picture. */
  readonly figures: Readonly<Record<Figure, string>>
  readonly targets: readonly Target[]
  /** A picture in the documents, of all figures or of some. */
  readonly picture?: Readonly<{
    title: string
    of: Target['of']
    figures?: readonly NoInfer<Figure>[]
  }>
  readonly settings?: Settings
  /** Measures a fresh process. */
  readonly measure?: (server: Server, size: number) => Promise<Values<NoInfer<Figure>>>
  /** Measures the fresh processes of all contestants, each many times. */
  readonly measureInTurn?: (servers: readonly Server[], size: number) => Promise<Values<Figure>[]>
}

/** The compiler looks that every figure is measured. */
export function scenario<Figure extends string>(declared: Scenario<Figure>): Scenario {
  return declared
}

export const SERVERS = ['Socket.IO', 'Bun', 'gorilla']

/** All others are compared with the first. */
export function beside(first: string, ...others: readonly string[]): Entrants {
  return Object.fromEntries([[first, null], ...others.map((name) => [name, first])]) as Entrants
}

/** Within a run, that is. */
export const NO_HEARTBEAT: Settings = { interval: 3_600_000 }

export function betterOf(unit: string): 'more' | 'less' {
  return unit === '/s' ? 'more' : 'less'
}

export function ratio(figure: string, goal: number, bound?: number, contestant = 'ours'): Target {
  return { contestant, figure, of: 'ratio', goal, bound }
}

export function value(figure: string, goal: number, bound?: number): Target {
  return { contestant: 'ours', figure, of: 'value', goal, bound }
}
