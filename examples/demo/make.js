// Elements are made of text, never of markup.

export const $ = (id) => document.getElementById(id)

export function make(tag, kind, ...children) {
  const element = document.createElement(tag)
  if (kind !== '') element.className = kind
  element.append(...children)
  return element
}

export function avatar({ name }) {
  const initials = name.split(' ').map((word) => word[0])
  const element = make('span', 'avatar', initials.join(''))
  element.ariaHidden = 'true'
  let hue = 0
  for (const letter of name) hue = (hue * 31 + letter.codePointAt(0)) % 360
  element.style.setProperty('--hue', hue)
  return element
}

/** The button that started a client. */
export function buttonOf(act) {
  return document.querySelector(`[data-act="${CSS.escape(act)}"]`)
}

/** A client's name, and the button that started it. */
export function nameOf({ name, act }) {
  return act === undefined ? name : `${name} (${buttonOf(act).textContent})`
}

export function time(at, second) {
  const date = new Date(at)
  const words = date.toLocaleTimeString([], { hour: '2-digit', minute: '2-digit', second })
  const element = make('time', '', words)
  element.dateTime = date.toISOString()
  return element
}

/** Facts: what each is called, its value, and what that means. */
export function facts(all) {
  const list = make('dl', 'facts')
  for (const [name, value, meaning] of all) {
    const fact = make('div', '', make('dt', '', name), make('dd', '', value))
    if (meaning !== undefined) fact.append(make('dd', 'meaning', meaning))
    list.append(fact)
  }
  return list
}

export function lasted(ms) {
  if (ms < 10) return `${ms.toFixed(1)} ms`
  if (ms < 1_000) return `${Math.round(ms)} ms`
  if (ms < 60_000) return `${(ms / 1_000).toFixed(1)} s`
  const minutes = Math.floor(ms / 60_000)
  return minutes < 60 ? `${minutes} min` : `${Math.floor(minutes / 60)} h ${minutes % 60} min`
}
