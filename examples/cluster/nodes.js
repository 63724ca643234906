// The nodes, and who is on each.

import { $, avatar, make } from './make.js'

/** By number. */
const drawn = new Map()

/** @param onKill is called with the number of a node */
export function showNodes({ nodes, seats, cleanups }, you, onKill) {
  for (const row of nodes) {
    if (!drawn.has(row.number)) drawn.set(row.number, makeNode(row.number, onKill))
    drawNode(drawn.get(row.number), row, you)
  }
  const found = nodes.reduce((sum, { here }) => sum + here.length, 0)
  $('seats').textContent = `${seats} seats taken, ${found} sessions found.`
  $('cleanups').replaceChildren(...cleanups.map(lineOf))
}

function lineOf({ of, by, count }) {
  const seats = count === 1 ? '1 seat' : `${count} seats`
  return make('li', '', `Node ${by} has given back ${seats} of node ${of}.`)
}

function makeNode(number, onKill) {
  const title = make('h3', '', `Node ${number}`)
  const stands = make('p', 'stands')
  const here = make('ul', 'here')
  here.ariaLabel = `Sessions on node ${number}`
  const kill = make('button', '', `kill -9 node ${number}`)
  kill.type = 'button'
  kill.addEventListener('click', () => {
    if (kill.ariaDisabled !== 'true') onKill(number)
  })
  const element = make('li', 'node', title, stands, here, kill)
  element.dataset.node = number
  $('nodes').append(element)
  return { element, stands, here, kill }
}

function drawNode({ element, stands, here, kill }, row, you) {
  const { state, isUnreached } = row
  element.dataset.state = state
  element.dataset.unreached = isUnreached
  stands.textContent = wordsOf(row)
  // Not disabled: a button that is cannot keep the focus until it may be pressed again.
  kill.ariaDisabled = String(state !== 'up')
  here.replaceChildren(...row.here.map((who) => seatOf(who, you)))
}

function wordsOf({ state, since, connected, isUnreached, here }) {
  if (state === 'starting') return 'Starting'
  const seconds = Math.floor((Date.now() - since) / 1_000)
  if (state === 'killed' && isUnreached) return `Killed ${seconds} s ago, does not answer`
  if (state === 'killed') return `Killed ${seconds} s ago`
  if (isUnreached) return 'Does not answer'
  if (connected === false) return 'Cannot reach Redis'
  return here.length === 1 ? '1 session' : `${here.length} sessions`
}

function seatOf({ id, name, suspended }, you) {
  const isYou = id === you?.id
  const words = `${name}${isYou ? ', you' : ''}${suspended ? ', away' : ''}`
  const seat = make('li', '', avatar({ name }), make('span', 'hidden', words))
  seat.title = words
  seat.firstChild.classList.toggle('you', isYou)
  seat.firstChild.classList.toggle('away', suspended)
  return seat
}
