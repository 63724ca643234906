// What an ending says, in words.

import { lasted, make } from './make.js'

const STORIES = {
  'server-close': 'The server closed it.',
  'server-terminate': 'The server cut it off.',
  shutdown: 'The server shut down, and said so first.',
  'heartbeat-timeout': 'Fell silent. The server asked for a sign of life, and got none.',
  'connection-lost': 'Ended without a close frame: a crash, or something in between.',
  'connection-reset': 'Was reset: something on the way, or the other side, refused it.',
  'handler-error': 'The server’s own code failed, for this connection alone.',
  'protocol-error': 'Sent something that is no WebSocket frame.',
  'message-too-big': 'Sent more at once than the server takes.',
  'slow-consumer': 'Read nothing of what it was sent, until too much of that waited.',
  flood: 'Sent far faster than it was handled: it had to wait, and nothing was lost.',
  jobs: 'Sent all of its jobs at once. They were handled one after the other.',
}
const GOODBYES = {
  1000: 'Closed normally.',
  1001: 'Closed the tab, or loaded it again.',
  1005: 'Closed, and gave no reason.',
}

export function storyOf({ cause, code, load }) {
  if (load !== undefined) return STORIES[load]
  if (cause === 'client-close') return GOODBYES[code] ?? `Closed with a code of its own, ${code}.`
  return STORIES[cause] ?? 'Ended.'
}

/** Which hooks of the route were told of it, as the server noted when they ran. */
export function toldTo({ steps }) {
  const hooks = steps.filter((step) => /^on[A-Z]/.test(step))
  const [first, ...others] = hooks.map((hook) => make('code', '', hook))
  if (first === undefined) return ['told to no hook.']
  if (others.length === 0) return ['told once, to ', first, '.']
  return ['told to ', first, ...others.flatMap((hook) => [', then to ', hook]), ', once each.']
}

/** Name, value and meaning of each fact. */
export function factsOf(ending) {
  const { initiator, clean, expected, retryable, duration } = ending
  return [
    ['code', codes(ending), CODES[ending.code] ?? 'in the close frame that came'],
    ['initiator', initiator, 'whose doing it was'],
    ['clean', yes(clean), clean ? 'close frames both ways' : 'no pair of close frames'],
    ['expected', yes(expected), expected ? 'nothing to look into' : 'onUnexpectedClose ran'],
    ['retryable', yes(retryable), retryable ? 'trying again may help' : 'no use in trying again'],
    ['noticed', ...noticed(ending)],
    ['open for', lasted(duration), 'from handshake to end'],
    ['handled', ...handled(ending)],
  ]
}

const CODES = {
  1005: 'its close frame had none',
  1006: 'no close frame came',
}

/** What the other side said and, where it is not the same, what the server said. */
function codes({ code, reason, sent }) {
  const words = [make('code', '', String(code))]
  if (reason !== '') words.push(` ${reason}`)
  if (sent !== undefined && sent !== code && code !== 1005)
    words.push(', sent ', make('code', '', sent))
  return make('span', '', ...words)
}

function noticed({ noticedAfter, initiator }) {
  if (noticedAfter === undefined) return ['own doing', 'the server ended it']
  if (noticedAfter === 0)
    return ['at once', initiator === 'client' ? 'from what it sent' : 'from a FIN or RST']
  return [`after ${lasted(noticedAfter)}`, 'since its last byte']
}

function handled({ messages, handled }) {
  if (messages === 0) return ['none', 'it sent no message']
  return [`${handled} of ${messages}`, 'messages that it sent']
}

function yes(value) {
  return value ? 'yes' : 'no'
}
