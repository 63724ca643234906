// The connections that have ended, the last one first and open. Together they are one stop of the Tab key.

import { endingOf } from './ending.js'
import { EXAMPLE } from './example.js'
import { $ } from './make.js'

const KEPT = 20
const list = $('endings')

export function addEnding(ending, isYou) {
  const latest = list.querySelector('details[data-latest]')
  if (latest !== null) {
    latest.open = false
    delete latest.dataset.latest
  }
  const item = endingOf(ending, isYou)
  list.prepend(item)
  const [details] = item.children
  details.open = true
  details.dataset.latest = ''
  // Whoever opens one wants to keep it open.
  details.firstChild.addEventListener('click', () => delete details.dataset.latest)
  if (list.childElementCount > KEPT) list.lastElementChild.remove()
  const focused = heads().indexOf(document.activeElement)
  stopAt(Math.max(0, focused))
  $('none').hidden = true
}

export function knownEndings() {
  return new Set(Array.from(list.children, ({ dataset }) => dataset.id))
}

/** Shows the example, until there is one to show; the route has to be loaded. */
export function forgetEndings() {
  list.replaceChildren()
  const example = endingOf(EXAMPLE, false)
  example.firstChild.open = true
  $('example').replaceChildren(example)
  $('none').hidden = false
}

function heads() {
  return Array.from(list.children, (item) => item.firstChild.firstChild)
}

function stopAt(index) {
  heads().forEach((head, i) => (head.tabIndex = i === index ? 0 : -1))
}

list.addEventListener('focusin', ({ target }) => {
  const index = heads().indexOf(target)
  if (index >= 0) stopAt(index)
})

list.addEventListener('keydown', (event) => {
  const all = heads()
  const index = all.indexOf(event.target)
  if (index < 0) return
  const next = { ArrowDown: index + 1, ArrowUp: index - 1, Home: 0, End: all.length - 1 }[event.key]
  if (all[next] === undefined) return
  event.preventDefault()
  all[next].focus()
})
