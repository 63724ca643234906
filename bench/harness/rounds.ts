/** Contestants in turn, each in a fresh process: one may be lucky with its compiler for all its life. */
import type { Contestant, Find } from './contestants.js'
import { type Spread, spread } from './numbers.js'
import { betterOf, type Scenario, type Values } from './scenario.js'
import { Server } from './server.js'

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

export async function runRounds(
  scenario: Scenario,
  find: Find,
  rounds: number,
  size: number,
): Promise<Result[]> {
  const contestants = Object.keys(scenario.entrants).flatMap((name) => find(name) ?? [])
  const taken: Array<ReadonlyMap<string, Values>> = []
  for (let round = 0; round < rounds; round++) {
    taken.push(await measured(scenario, inTurn(contestants, round), size))
  }
  return contestants.flatMap(({ name: contestant }) =>
    Object.entries(scenario.figures).map(([figure, unit]): Result => {
      const against = scenario.entrants[contestant]
      const of = (who: string): number[] => taken.map((values) => values.get(who)?.[figure] ?? NaN)
      const result = {
        scenario: scenario.name,
        figure,
        unit,
        better: betterOf(unit),
        contestant,
        rounds,
        value: spread(of(contestant)),
      }
      if (!against) return result
      const others = of(against)
      const ratios = of(contestant).map((value, round) => value / (others[round] ?? NaN))
      return Object.assign(result, { against, ratio: spread(ratios) })
    }),
  )
}

/** Each is as often before each other as after it. */
export function inTurn<T>(entrants: readonly T[], round: number): readonly T[] {
  const shift = Math.floor(round / 2) % entrants.length
  const turned = [...entrants.slice(shift), ...entrants.slice(0, shift)]
  return round % 2 === 0 ? turned : turned.toReversed()
}

/** @returns the values of each contestant */
async function measured(
  scenario: Scenario,
  contestants: readonly Contestant[],
  size: number,
): Promise<ReadonlyMap<string, Values>> {
  const servers: Server[] = []
  const values: Values[] = []
  try {
    for (const contestant of contestants) {
      const server = await Server.start(contestant, scenario.settings)
      servers.push(server)
      if ('measureInTurn' in scenario) continue
      values.push(await scenario.measure(server, size))
      await server.stop()
    }
    if ('measureInTurn' in scenario) values.push(...(await scenario.measureInTurn(servers, size)))
    return new Map(servers.map(({ name }, index) => [name, values[index] ?? {}]))
  } finally {
    for (const server of servers) await server.stop()
  }
}
