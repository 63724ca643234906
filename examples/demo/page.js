// The page's side of the room: what the server tells is shown, and what is pressed is done.

import { showBoard, showEnding, showRow } from './board.js'
import { addMessage, note, resetChat } from './chat.js'
import { Line } from './line.js'
import { $ } from './make.js'
import { loadRoute } from './route.js'

const TOO_MUCH = 'x'.repeat(5_000)

/** What a browser can do to its own connection; the rest the server does when it is asked. */
const OWN_ACTS = {
  close: () => line.close(1000, 'bye'),
  code: () => line.close(closeCode()),
  big: () => line.send(TOO_MUCH),
}
const HINTS = {
  helper: 'The server starts a guest, who does it.',
  tab: 'What is dimmed no browser can do: a guest can.',
}

const line = new Line()
const [form, text, code] = ['form', 'text', 'code'].map($)
const buttons = document.querySelectorAll('[data-act]')
const radios = document.querySelectorAll('[name=whose]')
let you

line.addEventListener('told', ({ detail }) => onTold(detail))
line.addEventListener('state', () => {
  showButtons()
  $('rows').classList.toggle('stale', line.state === 'waiting')
  if (line.state === 'away') void watch()
})

function onTold(event) {
  if (event.type === 'welcome') {
    you = event.you
    resetChat(event.messages, you)
    showBoard(event.board, you)
    note('You came in')
  } else if (event.type === 'joined') {
    showRow(event.row)
    note(`${event.row.guest.name} came in`)
  } else if (event.type === 'pulse') {
    event.rows.forEach(showRow)
  } else if (event.type === 'said') {
    addMessage(event.message, you)
  } else if (event.type === 'left') {
    const { guest, cause } = event.ending
    showEnding(event.ending)
    note(`${guest.name} is gone: ${cause}`)
  } else if (event.type === 'note') {
    note(event.text)
  }
}

/** Whoever is out sees on how it goes, and how their own connection ended. */
async function watch() {
  while (line.state === 'away') {
    const board = await fetch('board')
      .then((response) => response.json())
      .catch(() => undefined)
    if (board !== undefined && line.state === 'away') showBoard(board)
    await new Promise((resolve) => setTimeout(resolve, 1_000))
  }
}

// What is pressed.

for (const button of buttons) {
  button.addEventListener('click', () => {
    if (button.ariaDisabled !== 'true') press(button.dataset.act)
  })
}
for (const radio of radios) radio.addEventListener('change', showButtons)
code.addEventListener('input', () => code.setCustomValidity(''))

function press(act) {
  if (act === 'code' && closeCode() === undefined) {
    code.setCustomValidity('A client may send 1000, or 3000 to 4999.')
    code.reportValidity()
  } else if (act === 'drain') {
    line.send('/drain')
  } else if (whose() === 'helper') {
    line.send(`/helper ${act} ${closeCode() ?? ''}`)
  } else if (act in OWN_ACTS) {
    OWN_ACTS[act]()
  } else {
    line.send(`/${act}`)
  }
}

function showButtons() {
  const isOpen = line.state === 'open'
  $('hint').textContent = HINTS[whose()]
  $('send').disabled = !isOpen
  for (const button of buttons) {
    // Not disabled: a button that is cannot keep the focus until it may be pressed again.
    button.ariaDisabled = String(!isOpen || (whose() === 'tab' && 'helper' in button.dataset))
  }
}

function whose() {
  return document.querySelector('[name=whose]:checked').value
}

/** RFC 6455 §7.4.2: the codes that a browser's close() takes. */
function closeCode() {
  const value = Number(code.value)
  return value === 1000 || (value >= 3000 && value <= 4999) ? value : undefined
}

form.addEventListener('submit', (event) => {
  event.preventDefault()
  if (line.state !== 'open' || text.value.trim() === '') return
  line.send(text.value)
  text.value = ''
})

// An ending shows lines of the route: they come first.
await loadRoute()
line.connect()
