// One connection that has ended: how, what ran, and what it would have been without the plugin.

import { avatar, facts, lasted, make, time } from './make.js'
import { neededFor } from './route.js'

const STORIES = {
  'server-close': 'The server closed it.',
  'server-terminate': 'The server cut it off.',
  shutdown: 'The server shut down, and said so first.',
  'heartbeat-timeout': 'Fell silent. The server asked for a sign of life, and got none.',
  'connection-lost': 'The line ended without a goodbye: a crash, or something in between.',
  'connection-reset': 'The line was reset: something on the way, or the other side, refused it.',
  'handler-error': 'The server’s own code failed, for this connection alone.',
  'protocol-error': 'Sent something that is no WebSocket frame.',
  'message-too-big': 'Sent more at once than the server takes.',
  'slow-consumer': 'Read nothing of what it was sent, until too much of that waited.',
  flood: 'Sent far faster than it was heard: it had to wait, and nothing was lost.',
  jobs: 'Sent all of its jobs at once. They were done one after the other.',
}
const GOODBYES = {
  1000: 'Said goodbye.',
  1001: 'Closed the tab, or loaded it again.',
  1005: 'Closed, and gave no reason.',
}

export function endingOf(ending, isYou) {
  const { guest, at, cause, expected, error, load, steps, plain } = ending
  const name = make('b', '', guest.name)
  if (isYou) name.append(' (you)')
  const summary = make('summary', '', avatar(guest), name, make('span', 'verdict', cause), time(at))

  const { count, code } = neededFor(load ?? cause)
  const without = make('div', 'plain', make('h3', '', 'Without the plugin'))
  without.append(make('p', '', make('b', 'sees', plain.sees), ': ', plain.words))
  const needed = make('details', 'needed')
  needed.open = matchMedia('(min-width: 60rem)').matches
  needed.append(make('summary', '', `${count} lines of the route`), code)
  const withIt = make('div', 'with', make('h3', '', 'With it'))
  withIt.append(make('p', '', make('b', 'sees', cause), ', told once to onClose.'), needed)

  const story = make('p', 'story', storyOf(ending))
  if (error !== undefined) story.append(' ', make('code', '', error))
  const ran = make('ol', 'steps', ...[...steps, 'closed'].map((step) => make('li', '', step)))
  ran.ariaLabel = 'What ran, in order'
  const details = make('details', '', summary, story, facts(factsOf(ending)), ran)
  details.append(make('div', 'compare', without, withIt))
  const item = make('li', expected ? '' : 'unexpected', details)
  item.dataset.id = guest.id
  item.dataset.cause = cause
  return item
}

function storyOf({ cause, code, load }) {
  if (load !== undefined) return STORIES[load]
  if (cause === 'client-close') return GOODBYES[code] ?? `Closed with a code of its own, ${code}.`
  return STORIES[cause] ?? 'Ended.'
}

function factsOf(ending) {
  const { initiator, clean, expected, retryable, duration, messages, handled } = ending
  return [
    ['code', codes(ending)],
    ['initiator', initiator],
    ['clean', yes(clean)],
    ['expected', yes(expected)],
    ['retryable', yes(retryable)],
    ['noticed', noticed(ending)],
    ['open for', lasted(duration)],
    ['handled', `${handled} of ${messages}`],
  ]
}

/** What the other side said and, where it is not the same, what the server said. */
function codes({ code, reason, sent }) {
  const words = [make('code', '', String(code))]
  if (reason !== '') words.push(` ${reason}`)
  if (sent !== undefined && sent !== code && code !== 1005)
    words.push(', sent ', make('code', '', sent))
  return make('span', '', ...words)
}

function noticed({ noticedAfter }) {
  if (noticedAfter === undefined) return 'own doing'
  return noticedAfter === 0 ? 'at once' : `after ${lasted(noticedAfter)}`
}

function yes(value) {
  return value ? 'yes' : 'no'
}
