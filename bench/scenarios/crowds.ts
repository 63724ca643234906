/** The same, measured with few connections, with some and with many, each in a process of its own. */
import type { Figure, Size, Values } from '../harness/scenario.js'
import type { Server } from '../harness/server.js'

export const CROWDS = {
  full: { few: 1_000, some: 4_500, many: 18_000 },
  quick: { few: 500, some: 1_000, many: 2_000 },
}
const NAMES = ['few', 'some', 'many'] as const

/** Units by name. */
type Units = Readonly<Record<string, string>>

/** What is done with each crowd. */
export interface Task {
  /** What grows with the crowd if things go wrong: there is a figure of how much. */
  readonly costs: Units
  readonly others: Units
  settings(count: number, size: Size): object
  measure(server: Server, count: number, size: Size): Promise<Values>
}

/** A figure of one crowd. */
export function of(crowd: (typeof NAMES)[number], name: string): string {
  return `${name}, of ${crowd}`
}

/** The figure that says how much more it is of many than of few. */
export function growth(name: string): string {
  return `${name}, of many to of few`
}

export function figuresOf({ costs, others }: Task): Figure[] {
  const each = Object.entries({ ...costs, ...others })
  return [
    ...each.flatMap(([name, unit]) =>
      NAMES.map((crowd): Figure => ({ name: of(crowd, name), unit, better: 'less' })),
    ),
    ...Object.keys(costs).map((name): Figure => ({
      name: growth(name),
      unit: 'ratio',
      better: 'less',
    })),
  ]
}

/** @param server says of whom; it is left alone */
export async function measureCrowds(server: Server, size: Size, task: Task): Promise<Values> {
  const values: Record<string, number> = {}
  for (const crowd of NAMES) {
    const count = CROWDS[size][crowd]
    const own = await server.again(task.settings(count, size))
    try {
      const measured = await task.measure(own, count, size)
      for (const [name, value] of Object.entries(measured)) values[of(crowd, name)] = value
    } finally {
      await own.stop()
    }
  }
  for (const name of Object.keys(task.costs)) {
    values[growth(name)] = (values[of('many', name)] ?? NaN) / (values[of('few', name)] ?? NaN)
  }
  return values
}
