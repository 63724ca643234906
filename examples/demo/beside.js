// Beside the buttons: how the connections stand that they led to, and how the last of them ended.

import { avatar, buttonOf, make } from './make.js'

/** By id, those that are open: whose they are, where that is shown, and how they stand. */
const open = new Map()

/** A test client that a button started stands so. */
export function showBeside(client, state) {
  const { id, act } = client
  if (act === undefined || open.get(id)?.state === state) return
  const place = placeOf(act)
  open.delete(id) // the last one is the one shown
  open.set(id, { client, place, state })
  draw(place)
}

/** It is not open any more. */
export function endBeside(id) {
  const place = open.get(id)?.place
  open.delete(id)
  if (place !== undefined) draw(place)
}

/** It ended so; one of this page's own has no button, but `act`, which was pressed for it. */
export function showEndBeside({ client, cause }, act = client.act) {
  if (act === undefined) return
  const place = placeOf(act)
  const link = make('a', 'ended', cause, ' ↓')
  link.href = `#end-${client.id}`
  place.ended = [...who(client), link]
  draw(place)
}

/** What was asked of the whole server. */
export function sayBeside(act, words) {
  const place = placeOf(act)
  place.ended = [make('span', '', words)]
  draw(place)
}

export function clearBeside() {
  for (const place of document.querySelectorAll('.doing')) {
    place.ended = undefined
    draw(place)
  }
}

function placeOf(act) {
  return buttonOf(act).closest('[role=group]').querySelector('.doing')
}

function who(client) {
  return [avatar(client), make('span', 'hidden', client.name)]
}

function draw(place) {
  const those = [...open.values()].filter((each) => each.place === place)
  const newest = those.at(-1)
  if (newest === undefined) {
    place.replaceChildren(...(place.ended ?? []))
    place.title = ''
    return
  }
  const more = those.length > 1 ? [make('span', 'more', `+${those.length - 1}`)] : []
  place.replaceChildren(...who(newest.client), make('span', 'state', newest.state), ...more)
  place.title = newest.client.name
}
