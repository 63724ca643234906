/** Contestants in turn, each in a fresh process: one may be lucky with its compiler for all its life. */
import type { Contestant, Find } from './contestants.js'
import { spread } from './numbers.js'
import type { Result } from './results.js'
import { betterOf, type Scenario, type Values } from './scenario.js'
import { type Server, start } from './server.js'

export async function runRounds(
  scenario: Scenario,
  find: Find,
  rounds: number,
  size: number,
): Promise<Result[]> {
  const contestants = Object.keys(scenario.entrants).flatMap((name) => find(name) ?? [])
  const taken: Array<Map<string, Values>> = []
  for (let round = 0; round < rounds; round++) {
    taken.push(await measured(scenario, inTurn(contestants, round), size))
  }
  return contestants.flatMap(({ name: contestant }) =>
    Object.entries(scenario.figures).map(([figure, unit]): Result => {
      const of = (who: string): number[] => taken.map((values) => values.get(who)?.[figure] ?? NaN)
      const values = of(contestant)
      const result = {
        scenario: scenario.name,
        figure,
        unit,
        better: betterOf(unit),
        contestant,
        rounds,
        value: spread(values),
      }
      const against = scenario.entrants[contestant]
      if (!against) return result
      const others = of(against)
      const ratios = values.map((value, round) => value / (others[round] ?? NaN))
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
  { settings, measure, measureInTurn }: Scenario,
  contestants: readonly Contestant[],
  size: number,
): Promise<Map<string, Values>> {
  const servers: Server[] = []
  const values: Values[] = []
  try {
    for (const contestant of contestants) {
      const server = await start(contestant, settings)
      servers.push(server)
      if (measure === undefined) continue
      values.push(await measure(server, size))
      await server.stop()
    }
    if (measureInTurn !== undefined) values.push(...(await measureInTurn(servers, size)))
    return new Map(contestants.map(({ name }, index) => [name, values[index] ?? {}]))
  } finally {
    for (const server of servers) await server.stop()
  }
}
