// The connections that are open, one row each.

import { endBeside, showBeside } from './beside.js'
import { wordsOf } from './gap.js'
import { $, avatar, buttonOf, facts, lasted, make } from './make.js'

/** A client that is silent for longer, in ms, is found out: 3 s × 1.1, 3 s more, and two ticks. */
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

const WHY_PAUSED =
  'The inbox is full: 32 messages, and what the same read of the socket brought (64 KiB). ' +
  'The others wait in the operating system’s buffers.'

const rows = $('rows')

/** By id: the row's element, and how it stood when the server told. */
const present = new Map()

export function showRow(row, isOwn) {
  const { client } = row
  let shown = present.get(client.id)
  if (shown === undefined) {
    shown = makeRow(client, isOwn)
    present.set(client.id, shown)
    rows.append(shown.element)
    $('count').textContent = String(present.size)
  }
  shown.row = row
  shown.at = performance.now()
  draw(shown)
}

export function removeRow(id) {
  present.get(id)?.element.remove()
  present.delete(id)
  endBeside(id)
  $('count').textContent = String(present.size)
}

/** All others are gone. */
export function keepRows(ids) {
  for (const id of present.keys()) if (!ids.has(id)) removeRow(id)
}

/** Nobody knows how they stand while the server is not heard. */
export function markStale(isStale) {
  rows.classList.toggle('stale', isStale)
  $('acts').classList.toggle('unknown', isStale)
  $('when').textContent = isStale ? 'Open when last seen' : 'Open now'
}

function makeRow(client, isOwn) {
  const who = make('div', 'who', avatar(client), make('b', '', client.name))
  who.append(make('span', 'kind', labelOf(client, isOwn)))
  const paused = make('span', 'kind paused', 'paused')
  const gap = make('span', 'kind gap')
  who.append(paused, gap)
  const values = FACTS.map(([kind]) => make('span', kind))
  const silence = make('div', 'silence')
  silence.ariaHidden = 'true'
  const why = make('p', 'why note', WHY_PAUSED)
  const element = make('li', '', who, facts(FACTS.map(([, name], i) => [name, values[i]])), why)
  element.append(silence)
  element.dataset.id = client.id
  return { element, values, silence, paused, gap, why }
}

function labelOf({ kind, act }, isOwn) {
  if (isOwn) return 'you'
  if (kind === 'tab') return 'other tab'
  return act === undefined ? 'test client' : buttonOf(act).textContent
}

function draw({ element, values, silence, paused, gap, why, row, at }) {
  const age = performance.now() - at
  const silent = row.silentFor + age
  const [open, byte, latency, pings, unhandled, unsent] = values
  open.textContent = lasted(row.openFor + age).replace(/\.\d s/, ' s')
  byte.textContent = silent < 1_000 ? 'now' : `${(silent / 1_000).toFixed(1)} s ago`
  latency.textContent = row.latency === undefined ? '–' : lasted(row.latency)
  pings.textContent = String(row.pings)
  unhandled.textContent = String(row.unhandled ?? '–')
  unsent.textContent = sizeOf(row.unsent)
  paused.hidden = why.hidden = !row.isPaused
  const isAway = row.gap !== undefined && row.gap.replayed === undefined
  gap.hidden = row.gap === undefined
  if (!gap.hidden)
    gap.textContent = wordsOf({ ...row.gap, suspendedFor: row.gap.suspendedFor + age })
  element.classList.toggle('suspended', isAway)
  silence.style.setProperty('--silent', Math.min(1, silent / LONGEST_SILENCE))
  // One that answers is never silent for longer than it takes to be pinged.
  element.classList.toggle('suspect', silent > LONGEST_SILENCE / 2 + 550)
  showBeside(row.client, stateOf(row, silent))
}

/** In short, what stands out. */
function stateOf({ unhandled, isPaused, unsent }, silent) {
  if (isPaused) return `${unhandled} unhandled, paused`
  if (unhandled > 0) return `${unhandled} unhandled`
  if (unsent > 0) return `${sizeOf(unsent)} unsent`
  if (silent >= 1_000) return `silent ${Math.min(7, Math.floor(silent / 1_000))} of at most 7 s`
  return 'open'
}

function sizeOf(bytes) {
  return bytes < 1_024 ? `${bytes} B` : `${bytes >> 10} KiB`
}

setInterval(() => {
  if (rows.classList.contains('stale')) return
  for (const shown of present.values()) draw(shown)
}, 250)
