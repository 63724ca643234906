// What the page knows of the server: whether it is there, when it was last seen, and that it is another one.

import { $, lasted, time } from './make.js'
import { markStale } from './rows.js'

const REASONS = {
  1006: 'Its connection ended without a close frame (1006), as one of a process does that is killed.',
  1012: 'It had been stopped, and drained first (1012).',
}

/** When it was last heard. It has served this page. */
let seenAt = Date.now()
let id
let missing = ''

export function seen() {
  seenAt = Date.now()
}

/** @param words what is amiss, or nothing where all is well */
export function setMissing(words) {
  missing = words
  $('unreachable').hidden = words === ''
  markStale(words !== '')
  draw()
}

/** Whether another process than the one before answers; to be asked before that is `seen`. */
export function isRestarted(server, code) {
  const isAnother = id !== undefined && id !== server
  id = server
  if (isAnother) {
    $('restarted').hidden = false
    $('restarted').replaceChildren(
      'The server was restarted. The old process was last seen at ',
      time(seenAt, '2-digit'),
      `. ${REASONS[code] ?? ''} A new one answers since `,
      time(Date.now(), '2-digit'),
      '. Endings and chat of the old one are gone with it.',
    )
  }
  return isAnother
}

export function showDrain(drained) {
  $('drained').hidden = drained === undefined
  if (drained === undefined) return
  const { at, closed, terminated, abandoned, duration, awayFor } = drained
  const parts = [
    `: the server was drained in ${lasted(duration)}. ${closed} closed`,
    `${terminated} terminated`,
    `${abandoned} cleanups abandoned`,
    `back ${lasted(awayFor)} later.`,
  ]
  $('drained').replaceChildren(time(at, '2-digit'), parts.join(', '))
}

function draw() {
  if (missing === '') return
  const ago = lasted(Math.max(1_000, Date.now() - seenAt)).replace(/\.\d s/, ' s')
  $('unreachable').replaceChildren(
    `${missing} Last seen at `,
    time(seenAt, '2-digit'),
    `, ${ago} ago: what stands here is from then.`,
  )
}

setInterval(draw, 1_000)
