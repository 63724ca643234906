// The route's own source, whole and in parts.

import { $, make } from './make.js'

const TOKEN =
  /(?<comment>\/\/.*)|(?<string>'[^']*')|(?<word>\b(?:async|await|const|if|new|throw|true)\b)|(?<name>\b(?:groups|keepalive|inbox|outbox|resume|onSuspend|onResume|onMessage|onShutdown|onUnexpectedClose|onClose|scope)\b)/g

let source = { file: '', from: 1, lines: [], needed: {}, unexpected: [] }

export async function loadRoute() {
  const response = await fetch('route.json')
  source = await response.json()
  $('file').textContent = source.file
  $('route').replaceChildren(...source.lines.map((_, i) => codeLine(i)))
}

/** How many lines an ending needed, and those lines. */
export function neededFor({ cause, load, expected }) {
  const all = new Set(source.needed[load ?? cause])
  if (!expected) for (const index of source.unexpected) all.add(index)
  const indexes = [...all].toSorted((a, b) => a - b)
  const code = make('pre', 'source')
  indexes.forEach((index, i) => {
    if (i > 0 && indexes[i - 1] !== index - 1) code.append(make('span', 'gap', '⋮'))
    code.append(codeLine(index, 4)) // all of them are that deep
  })
  return { count: indexes.length, code }
}

/** A line that is too long goes on below, further in. */
function codeLine(index, cut = 0) {
  const number = make('span', 'number', String(source.from + index))
  number.ariaHidden = 'true'
  const text = source.lines[index].slice(cut)
  const line = make('span', 'code', number, ...coloured(text))
  line.style.setProperty('--deep', text.length - text.trimStart().length + 4)
  return line
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
