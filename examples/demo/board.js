// All connections: a row lives while its connection is open, then it tells how that ended.

import { endingOf } from './ending.js'
import { $, avatar, facts, lasted, make } from './make.js'

const KEPT = 20

/** A peer that is silent for longer, in ms, is found out: 3 s × 1.1, 3 s more, and two ticks. */
const LONGEST_SILENCE = 6_900

/** What a row tells, and how that is called. */
const FACTS = [
  ['open', 'open'],
  ['byte', 'last byte'],
  ['latency', 'latency'],
  ['pings', 'pings'],
  ['unhandled', 'unhandled'],
  ['unsent', 'unsent'],
]

const [rows, endings] = ['rows', 'endings'].map($)

/** By id: the row's element, and how it stood when the server told. */
const present = new Map()
/** The page's own ids: it had others before it came back. */
const own = new Set()

export function showBoard(board, you) {
  if (you !== undefined) own.add(you.id)
  const here = new Set(board.rows.map(({ guest }) => guest.id))
  for (const id of present.keys()) if (!here.has(id)) remove(id)
  board.rows.forEach(showRow)
  const known = new Set(Array.from(endings.children, ({ dataset }) => dataset.id))
  for (const ending of board.endings) if (!known.has(ending.guest.id)) showEnding(ending)
  showDrain(board.drained)
}

export function showRow(row) {
  const { guest } = row
  let shown = present.get(guest.id)
  if (shown === undefined) {
    shown = makeRow(guest)
    present.set(guest.id, shown)
    rows.append(shown.element)
    $('count').textContent = String(present.size)
  }
  shown.row = row
  shown.at = performance.now()
  draw(shown)
}

export function showEnding(ending) {
  remove(ending.guest.id)
  const latest = endings.querySelector('details[data-latest]')
  if (latest !== null) {
    latest.open = false
    delete latest.dataset.latest
  }
  const item = endingOf(ending, own.has(ending.guest.id))
  endings.prepend(item)
  const [details] = item.children
  details.open = true
  details.dataset.latest = ''
  // Whoever opens one wants to keep it open.
  details.firstChild.addEventListener('click', () => delete details.dataset.latest)
  if (endings.childElementCount > KEPT) endings.lastElementChild.remove()
  $('nobody').hidden = true
  $('latest').hidden = false
  $('latest').textContent = `${ending.guest.name}: ${ending.cause} ↓`
}

function showDrain(drained) {
  $('drained').hidden = drained === undefined
  if (drained === undefined) return
  const { closed, terminated, abandoned, duration, awayFor } = drained
  const parts = [
    `The server was drained in ${lasted(duration)}: ${closed} closed`,
    `${terminated} terminated`,
    `${abandoned} cleanups abandoned`,
    `back ${lasted(awayFor)} later.`,
  ]
  $('drained').textContent = parts.join(', ')
}

function remove(id) {
  present.get(id)?.element.remove()
  present.delete(id)
  $('count').textContent = String(present.size)
}

function makeRow(guest) {
  const label = own.has(guest.id) ? 'you' : guest.kind === 'helper' ? 'guest' : 'tab'
  const who = make('div', 'who', avatar(guest), make('b', '', guest.name))
  who.append(make('span', 'kind', label))
  const paused = make('span', 'kind paused', 'paused')
  who.append(paused)
  const values = FACTS.map(([kind]) => make('span', kind))
  const silence = make('div', 'silence')
  silence.ariaHidden = 'true'
  const pairs = FACTS.map(([, name], i) => [name, values[i]])
  const element = make('li', '', who, facts(pairs), silence)
  element.dataset.id = guest.id
  return { element, values, silence, paused }
}

function draw({ element, values, silence, paused, row, at }) {
  const age = performance.now() - at
  const silent = row.silentFor + age
  const [open, byte, latency, pings, unhandled, unsent] = values
  open.textContent = lasted(row.openFor + age).replace(/\.\d s/, ' s')
  byte.textContent = silent < 1_000 ? 'now' : `${(silent / 1_000).toFixed(1)} s ago`
  latency.textContent = row.latency === undefined ? '–' : lasted(row.latency)
  pings.textContent = String(row.pings)
  unhandled.textContent = String(row.unhandled ?? '–')
  unsent.textContent = row.unsent < 1_024 ? `${row.unsent} B` : `${row.unsent >> 10} KiB`
  paused.hidden = !row.isPaused
  silence.style.setProperty('--silent', Math.min(1, silent / LONGEST_SILENCE))
  // One that answers is never silent for longer than it takes to be pinged.
  element.classList.toggle('suspect', silent > LONGEST_SILENCE / 2 + 550)
}

// A phone shows the buttons alone, and what they led to further down.
new IntersectionObserver(([{ isIntersecting }]) => {
  $('latest').classList.toggle('hidden', !isIntersecting)
}).observe($('acts'))

setInterval(() => {
  // Nobody knows how they stand while this page has lost its own line.
  if (rows.classList.contains('stale')) return
  for (const shown of present.values()) draw(shown)
}, 250)
