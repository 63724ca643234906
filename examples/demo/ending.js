// One connection that has ended: how, what ran, and what it would have been without the plugin.

import { avatar, buttonOf, facts, make, time } from './make.js'
import { neededFor } from './route.js'
import { factsOf, storyOf, toldTo } from './words.js'

export function endingOf(ending, isYou) {
  const { client, cause, expected, error, steps } = ending
  const story = make('p', 'story', storyOf(ending))
  if (error !== undefined) story.append(' ', make('code', '', error))
  const ran = make('ol', 'steps', ...[...steps, 'closed'].map((step) => make('li', '', step)))
  ran.ariaLabel = 'What ran, in order'
  const details = make('details', '', headOf(ending, isYou), story, facts(factsOf(ending)), ran)
  details.append(make('div', 'compare', ...comparisonOf(ending)))
  const item = make('li', expected ? '' : 'unexpected', details)
  item.dataset.id = client.id
  item.dataset.cause = cause
  return item
}

function headOf({ client, at, cause, expected }, isYou) {
  const name = make('b', '', client.name)
  if (isYou) name.append(' (you)')
  const head = make('summary', '', avatar(client), name)
  if (client.act !== undefined) head.append(make('span', 'kind', buttonOf(client.act).textContent))
  head.append(make('span', 'verdict', cause))
  if (!expected) head.append(make('span', 'odd-word', 'unexpected'))
  head.append(time(at))
  head.id = `end-${client.id}`
  return head
}

function comparisonOf(ending) {
  const { cause, plain } = ending
  const without = make('div', 'plain', make('h3', '', 'Without the plugin'))
  without.append(make('p', '', make('b', 'sees', plain.sees), ': ', plain.words))
  const { count, code } = neededFor(ending)
  const needed = make('details', 'needed')
  needed.open = matchMedia('(min-width: 60rem)').matches
  needed.append(make('summary', '', `${count} lines of the route`), code)
  const withIt = make('div', 'with', make('h3', '', 'With it'))
  withIt.append(make('p', '', make('b', 'sees', cause), ', ', ...toldTo(ending)), needed)
  return [without, withIt]
}
