// All connections: a row lives while its connection is open, then it tells how that ended.

import { showEndBeside } from './beside.js'
import { addEnding, forgetEndings, knownEndings } from './endings.js'
import { keepRows, removeRow, showRow } from './rows.js'
import { showDrain } from './away.js'

/** The page's own ids, and the button that was pressed for each: it had others before it came back. */
const own = new Map()
let you

/** @param isAnew whether nothing is true any more of what was shown before */
export function showBoard(board, isAnew) {
  if (isAnew) forgetEndings()
  keepRows(new Set(board.rows.map(({ client }) => client.id)))
  showRows(board.rows)
  const known = knownEndings()
  for (const ending of board.endings) {
    const { id } = ending.client
    if (known.has(id)) continue
    addEnding(ending, own.has(id))
    if (own.get(id) !== undefined) showEndBeside(ending, own.get(id))
  }
  showDrain(board.drained)
}

/** Which of them is this page. */
export function setOwn(id) {
  you = id
  own.set(id, undefined)
}

/** The page asked for its own end. */
export function noteOwnAct(act) {
  own.set(you, act)
}

export function showRows(rows) {
  for (const row of rows) showRow(row, own.has(row.client.id))
}

export function showEnding(ending) {
  const { id } = ending.client
  removeRow(id)
  addEnding(ending, own.has(id))
  showEndBeside(ending, own.get(id) ?? ending.client.act)
}
