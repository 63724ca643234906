/** Contestants in turn, each in a fresh process: one may be lucky with its compiler for all its life. */
import type { Find } from './contestants.js'
import { spread } from './numbers.js'
import type { Result } from './results.js'
import type { Scenario, Values } from './scenario.js'
import { type Server, start } from './server.js'

export async function runRounds(
  scenario: Scenario,
  find: Find,
  rounds: number,
  size: number,
): Promise<Result[]> {
  const { name, entrants, figures, settings } = scenario
  const contestants = Object.keys(entrants).flatMap((each) => find(each) ?? [])
  const taken: Array<Map<string, Values>> = []
  for (let round = 0; round < rounds; round++) {
    const servers: Server[] = []
    const values: Values[] = []
    try {
      for (const contestant of inTurn(contestants, round)) {
        const server = await start(contestant, settings)
        servers.push(server)
        if (scenario.measure === undefined) continue
        values.push(await scenario.measure(server, size))
        await server.stop()
      }
      values.push(...((await scenario.measureInTurn?.(servers, size)) ?? []))
    } finally {
      for (const server of servers) await server.stop()
    }
    taken.push(new Map(servers.map((server, index) => [server.name, values[index] ?? {}])))
  }
  return contestants.flatMap(({ name: contestant }) =>
    Object.entries(figures).map(([figure, unit]): Result => {
      const of = (who: string): number[] => taken.map((values) => values.get(who)?.[figure] ?? NaN)
      const own = of(contestant)
      const result = { scenario: name, figure, unit, contestant, rounds, value: spread(own) }
      const against = entrants[contestant]
      if (!against) return result
      const others = of(against)
      const ratio = spread(own.map((each, round) => each / (others[round] ?? NaN)))
      return Object.assign(result, { against, ratio })
    }),
  )
}

/** Each is as often before each other as after it. */
export function inTurn<T>(entrants: readonly T[], round: number): readonly T[] {
  const shift = Math.floor(round / 2) % entrants.length
  const turned = [...entrants.slice(shift), ...entrants.slice(0, shift)]
  return round % 2 === 0 ? turned : turned.toReversed()
}
