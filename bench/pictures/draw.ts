/** Draws a picture: its numbers on a card that says what they are, how to read them and where they come from. */
import type { Results } from '../harness/results.js'
import type { Scenario } from '../harness/scenario.js'
import { fill, inWords } from './cells.js'
import { CROWDS } from '../scenarios/crowds.js'
import { BELOW, MARGIN, WIDTH } from './layout.js'
import { legend, origin } from './legend.js'
import { drawPanels } from './panels.js'
import type { Picture } from './picture.js'
import { drawRows } from './rows.js'
import { element, escaped, lines, text } from './svg.js'
import { styleOf, type Theme } from './themes.js'

export function draw(
  picture: Picture,
  results: Results,
  scenarios: readonly Scenario[],
  theme: Theme,
): string {
  const { title, subtitle } = picture
  const columns = fill(picture, results, scenarios)
  const { content: body, bottom } =
    'panels' in picture
      ? drawPanels(picture.panels, columns, Object.values(CROWDS.full))
      : drawRows(columns)
  const height = bottom + BELOW
  const [machine, others] = origin(results)
  const content = lines(
    element('title', { id: 'title' }, escaped(title)),
    element('desc', { id: 'desc' }, escaped(`${subtitle}. ${inWords(columns)}`)),
    element('style', {}, styleOf(theme)),
    element('rect', { class: 'card', x: 0.5, y: 0.5, width: WIDTH - 1, height: height - 1, rx: 8 }),
    text('title', MARGIN, 38, title),
    text('muted', MARGIN, 59, subtitle),
    body,
    legend(columns, bottom + 49),
    text('small', MARGIN, bottom + 72, machine),
    text('small', MARGIN, bottom + 88, others),
  )
  const attributes = {
    xmlns: 'http://www.w3.org/2000/svg',
    width: WIDTH,
    height,
    viewBox: `0 0 ${WIDTH} ${height}`,
    role: 'img',
    'aria-labelledby': 'title desc',
  }
  return `${element('svg', attributes, `\n${content}\n`)}\n`
}
