/** Contestants in turn, each in a fresh process: one may be lucky with its compiler for all its life. */
import type { Contestant } from './contestants.js'
import type { Round, Scenario, Size, Values } from './scenario.js'
import { Server } from './server.js'
import { type Spread, spread } from './spread.js'

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
  contestants: ReadonlyMap<string, Contestant>,
  rounds: number,
  size: Size,
): Promise<Result[]> {
  const entrants = scenario.entrants.filter(({ name }) => contestants.has(name))
  const taken: Round[] = []
  for (let round = 0; round < rounds; round++) {
    const measurements = new Map<string, Values>()
    for (const { name } of inTurn(entrants, round)) {
      const contestant = contestants.get(name)
      if (contestant) measurements.set(name, await measured(scenario, contestant, size))
    }
    taken.push(measurements)
  }
  return entrants.flatMap((entrant) =>
    scenario.figures.map(({ name: figure, unit, better }): Result => {
      const { name: contestant, against } = entrant
      const of = (round: Round, who: string): number => round.get(who)?.[figure] ?? NaN
      return {
        scenario: scenario.name,
        figure,
        unit,
        better,
        contestant,
        rounds,
        value: spread(taken.map((round) => of(round, contestant))),
        ...(against !== undefined && {
          against,
          ratio: spread(taken.map((round) => of(round, contestant) / of(round, against))),
        }),
      }
    }),
  )
}

/** Each is as often before each other as after it. */
export function inTurn<T>(entrants: readonly T[], round: number): readonly T[] {
  const shift = Math.floor(round / 2) % entrants.length
  const turned = [...entrants.slice(shift), ...entrants.slice(0, shift)]
  return round % 2 === 0 ? turned : turned.toReversed()
}

async function measured(scenario: Scenario, contestant: Contestant, size: Size): Promise<Values> {
  const { settings } = scenario
  const server = await Server.start(
    contestant,
    typeof settings === 'function' ? settings(size) : settings,
  )
  try {
    return await scenario.measure(server, size)
  } finally {
    await server.stop()
  }
}
