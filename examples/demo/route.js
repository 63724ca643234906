// The route's own source, whole and in parts.

import { $, make } from './make.js'

const TOKEN =
  /(?<comment>\/\/.*)|(?<string>'[^']*')|(?<word>\b(?:async|await|const|if|new|throw|true)\b)|(?<name>\b(?:keepalive|inbox|outbox|onMessage|onShutdown|onUnexpectedClose|onClose|scope)\b)/g

let source = { file: '', from: 1, lines: [], needed: {} }

export async function loadRoute() {
  const response = await fetch('route.json')
  source = await response.json()
  $('file').textContent = source.file
  $('route').replaceChildren(...source.lines.map((_, i) => codeLine(i)))
}

/** How many lines an ending of that cause needed, and those lines. */
export function neededFor(cause) {
  const indexes = source.needed[cause] ?? []
  const code = make('pre', 'source')
  indexes.forEach((index, i) => {
    if (i > 0 && indexes[i - 1] !== index - 1) code.append(make('span', 'gap', '⋮\n'))
    code.append(codeLine(index, 4)) // all of them are that deep
  })
  code.tabIndex = 0
  code.setAttribute('role', 'group') // no landmark: there is one in each ending
  code.ariaLabel = 'The lines of the route that this needed'
  return { count: indexes.length, code }
}

function codeLine(index, indent = 0) {
  const number = make('span', 'number', String(source.from + index))
  number.ariaHidden = 'true'
  return make('span', 'code', number, ...coloured(source.lines[index].slice(indent)), '\n')
}

function coloured(text) {
  const parts = []
  let at = 0
  for (const { 0: token, index, groups } of text.matchAll(TOKEN)) {
    const [kind] = Object.entries(groups).find(([, value]) => value !== undefined)
    parts.push(text.slice(at, index), make('span', kind, token))
    at = index + token.length
  }
  return [...parts, text.slice(at)]
}
