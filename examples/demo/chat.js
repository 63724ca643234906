// What is said, and who comes and goes; a screen reader reads it out.

import { $, avatar, make, time } from './make.js'

const KEPT = 200
const log = $('log')

export function resetChat(messages, you) {
  log.replaceChildren()
  for (const message of messages) addMessage(message, you)
}

export function addMessage({ from, text, at }, you) {
  const isMine = from.name === you.name
  const element = make('div', isMine ? 'said mine' : 'said')
  if (log.lastElementChild?.dataset.from !== from.id) {
    const who = isMine ? [make('b', '', 'You')] : [avatar(from), make('b', '', from.name)]
    element.append(make('div', 'from', ...who, time(at)))
  }
  element.dataset.from = from.id
  element.append(make('p', '', text))
  add(element)
}

export function note(words) {
  add(make('div', 'event', words))
}

function add(element) {
  // Whoever reads what was said before is left there.
  const isAtEnd = log.scrollHeight - log.scrollTop - log.clientHeight < 80
  log.append(element)
  if (log.childElementCount > KEPT) log.firstElementChild.remove()
  if (isAtEnd) log.scrollTop = log.scrollHeight
}
