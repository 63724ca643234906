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
    const names = inTurn(entrants, round).map(({ name }) => name)
    const turns = names.flatMap((name) => contestants.get(name) ?? [])
    const values = await measured(scenario, turns, size)
    taken.push(new Map(turns.map(({ name }, i) => [name, values[i] ?? {}])))
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

/** @returns the values of each contestant */
async function measured(
  scenario: Scenario,
  contestants: readonly Contestant[],
  size: Size,
): Promise<readonly Values[]> {
  const { settings: given } = scenario
  const settings = typeof given === 'function' ? given(size) : given
  const servers: Server[] = []
  const start = async (contestant: Contestant): Promise<Server> => {
    const server = await Server.start(contestant, settings)
    servers.push(server)
    return server
  }
  try {
    if ('measureInTurn' in scenario) {
      for (const contestant of contestants) await start(contestant)
      return await scenario.measureInTurn(servers, size)
    }
    const values: Values[] = []
    for (const contestant of contestants) {
      const server = await start(contestant)
      values.push(await scenario.measure(server, size))
      await server.stop()
    }
    return values
  } finally {
    for (const server of servers) await server.stop()
  }
}
