/** The numbers of a picture, found in the results, and how people read them. */
import type { Spread } from '../harness/numbers.js'
import { find, type Results } from '../harness/results.js'
import { betterOf, type Scenario } from '../harness/scenario.js'

export type Pictured = Scenario & Required<Pick<Scenario, 'picture'>>
export type Column = ReturnType<typeof columnsOf>[number]

/**
 * Ours comes first; who is compared with nobody has no ratio.
 * @throws if one of the numbers is missing, but for those of contestants that were left out
 */
export function columnsOf(scenario: Pictured, { results, leftOut }: Results) {
  const { name, entrants, figures, targets, picture } = scenario
  const { of } = picture
  return (picture.figures ?? Object.keys(figures)).map((figure) => {
    const unit = figures[figure]
    if (unit === undefined) throw new Error(`No figure ${name}: ${figure}`)
    const cells = Object.keys(entrants)
      .filter((each) => (of === 'value' || entrants[each]) && !leftOut.includes(each))
      .toSorted((a, b) => Number(isOurs(b)) - Number(isOurs(a)))
      .map((contestant) => {
        const { [of]: spread, rounds } = find(results, { scenario: name, figure, contestant })
        if (spread === undefined) throw new Error(`No ratio of ${contestant} in ${figure}`)
        const own = targets.filter((each) => each.contestant === contestant && each.of === of)
        return {
          contestant,
          spread,
          rounds,
          goal: own.find((each) => each.figure === figure)?.goal,
        }
      })
    const show = (value: number): string => (of === 'ratio' ? times(value) : quantity(value, unit))
    const [heading = '', below = ''] = figure.split(', ')
    return { of, figure, heading, below, better: betterOf(unit), cells, show }
  })
}

/** How the plugin does, and bare where it is in the picture, for those who do not see it. */
export function inWords(columns: readonly Column[]): string {
  const sentences = columns.map(({ figure, cells, show, better }) => {
    const said = cells
      .filter(({ contestant }) => isOurs(contestant) || contestant === 'bare')
      .map(({ contestant, spread }) => `${called(contestant)} ${show(spread.median)}`)
    return `${figure} (${better} is better): ${said.join('; ')}.`
  })
  return sentences.join(' ')
}

export function isOurs(contestant: string): boolean {
  return contestant.startsWith('ours')
}

/** How a contestant is called where people read of it. */
export function called(contestant: string): string {
  if (isOurs(contestant)) return contestant.replace('ours', 'this plugin')
  return contestant.replace(/^(bare|sweep|timers|gorilla)/, (kind) => CALLED[kind] ?? kind)
}

const CALLED: Readonly<Record<string, string>> = {
  bare: 'bare @fastify/websocket',
  sweep: 'bare, sweep heartbeat',
  timers: 'bare, a timer for each',
  gorilla: 'gorilla/websocket (Go)',
}

const NUMBER = new Intl.NumberFormat('en', { maximumSignificantDigits: 3 })

/** What a thousand of a unit is. */
const LARGER: Readonly<Record<string, string>> = { µs: 'ms', ms: 's', B: 'kB', kB: 'MB', MB: 'GB' }

export function quantity(value: number, unit: string): string {
  if (Number.isNaN(value)) return '–'
  if (unit === 'ratio') return times(value)
  const larger = LARGER[unit]
  if (larger !== undefined && Math.abs(value) >= 999.5) return quantity(value / 1_000, larger)
  const number = NUMBER.format(value).replace('-', '−')
  return unit === '' || unit.startsWith('/') ? number + unit : `${number} ${unit}`
}

export function times(ratio: number): string {
  return Number.isNaN(ratio) ? '–' : `${ratio.toFixed(ratio < 9.995 ? 2 : 1)}×`
}

/** `2.61× (2.5 to 2.8)`: the median, from the least to the most. */
export function withSpread({ median, least, most }: Spread, show: Column['show']): string {
  return Number.isNaN(median) ? 'not known' : `${show(median)} (${show(least)} to ${show(most)})`
}
