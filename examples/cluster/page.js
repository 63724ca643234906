// The page: what the nodes tell is shown, and what is pressed is done. All that others have sent is text.

import { $, make } from './make.js'
import { showNodes } from './nodes.js'
import { post, Tab } from './tab.js'

/** How often it is asked who is where, in ms. */
const REST = 300
/** How many messages are kept. */
const KEPT = 100

const log = $('log')
const tab = new Tab()

tab.addEventListener('told', ({ detail: event }) => {
  if (event.type === 'said') said(event)
  if (event.type === 'reached') add(make('p', 'event', wordsOf(event)))
})

function said({ from, node, text }) {
  const isMine = from.id === tab.you.id
  const who = make('div', 'from', make('b', '', isMine ? 'You' : from.name), `node ${node}`)
  add(make('div', isMine ? 'said mine' : 'said', who, make('p', '', text)))
}

function wordsOf({ nodes, unreached }) {
  const told = nodes === 1 ? '1 node has it' : `${nodes} nodes have it`
  return unreached === 0 ? told : `${told}, ${unreached} did not answer`
}

function add(element) {
  log.append(element)
  if (log.childElementCount > KEPT) log.firstElementChild.remove()
  log.scrollTop = log.scrollHeight
}

$('cut').addEventListener('click', () => void tab.cut())
$('form').addEventListener('submit', (event) => {
  event.preventDefault()
  const text = $('text').value.trim()
  if (text === '') return
  tab.say(text)
  $('text').value = ''
})

async function watch() {
  for (;;) {
    const board = await fetch('board')
      .then((response) => response.json())
      .catch(() => undefined)
    $('unreachable').hidden = board !== undefined
    if (board !== undefined) showNodes(board, tab.you, (node) => void post('kill', { node }))
    await new Promise((resolve) => setTimeout(resolve, REST))
  }
}

tab.connect()
void watch()
