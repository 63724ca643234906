// This tab's line, while it fails, and what that meant once it is back.

import { sayBeside } from './beside.js'
import { $, lasted, make } from './make.js'

/** What was pressed, until it is over. */
let asked

/** Whether the page hears nothing of the room, because it has asked for that. */
export function isLineDown() {
  return asked !== undefined
}

export function lineAsked(act) {
  asked = act
  $('resumed').hidden = true
  sayBeside(act, 'asked for')
}

/** How this tab stands, as the server knows it. */
export function showLine({ gap, silentFor }) {
  if (asked === undefined) return
  const isAway = gap !== undefined && gap.replayed === undefined
  const isSilent = silentFor >= 1_000
  if (isAway) sayBeside(asked, wordsOf(gap))
  else if (isSilent) sayBeside(asked, `silent ${lasted(silentFor)}`)
}

/** The session goes on, and all that was missed has come. */
export function lineBack({ gap }) {
  const { cause, silentFor, suspendedFor, replayed } = gap
  const found = cause === 'heartbeat-timeout' ? ` ${lasted(silentFor)} after it fell silent` : ''
  $('resumed').hidden = false
  $('resumed').replaceChildren(
    `The server lost your connection${found} (`,
    make('code', '', cause),
    `), kept your session for ${lasted(suspendedFor)}, and sent you the ${count(replayed)} that you had missed: none was lost, none came twice.`,
  )
  if (asked !== undefined) sayBeside(asked, wordsOf(gap))
  asked = undefined
}

/** The session has ended: there is nothing to go on with. */
export function lineGone() {
  if (asked !== undefined) sayBeside(asked, 'began anew')
  asked = undefined
}

/** How somebody stands who is, or was, without a connection. */
export function wordsOf({ suspendedFor, replayed }) {
  if (replayed === undefined) return `suspended ${(suspendedFor / 1_000).toFixed(1)} s`
  return `resumed, ${count(replayed)} replayed`
}

function count(messages) {
  return messages === 1 ? '1 message' : `${messages} messages`
}
