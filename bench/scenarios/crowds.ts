/** The same, measured with few connections, with some and with many, each in a process of its own. */
import type { Values } from '../harness/scenario.js'
import type { Server, Settings } from '../harness/server.js'

export const CROWDS = { few: 1_000, some: 4_500, many: 18_000 }
const NAMES = ['few', 'some', 'many'] as const

/** A figure of one crowd. */
export function of(crowd: (typeof NAMES)[number], figure: string): string {
  return `${figure}, of ${crowd}`
}

/** The figure that says how much more it is of many than of few. */
export function growth(figure: string): string {
  return `${figure}, of many to of few`
}

/** @param costs what grows with the crowd if things go wrong: there is a figure of how much */
export function figuresOf(
  costs: Readonly<Record<string, string>>,
  others: Readonly<Record<string, string>>,
): Record<string, string> {
  const figures: Record<string, string> = {}
  for (const [figure, unit] of Object.entries({ ...costs, ...others })) {
    for (const crowd of NAMES) figures[of(crowd, figure)] = unit
  }
  for (const figure of Object.keys(costs)) figures[growth(figure)] = 'ratio'
  return figures
}

/** @param server says of whom; it is left alone */
export async function measureCrowds(
  server: Server,
  size: number,
  settingsOf: (count: number) => Settings,
  measure: (server: Server, count: number) => Promise<Values>,
): Promise<Values> {
  const values: Record<string, number> = {}
  const figures = new Set<string>()
  for (const crowd of NAMES) {
    const count = CROWDS[crowd] * size
    const own = await server.again(settingsOf(count))
    for (const [figure, value] of Object.entries(await measure(own, count))) {
      values[of(crowd, figure)] = value
      figures.add(figure)
    }
    await own.stop()
  }
  for (const figure of figures) {
    values[growth(figure)] =
      (values[of('many', figure)] ?? NaN) / (values[of('few', figure)] ?? NaN)
  }
  return values
}
