// The page's side of the room: what the server tells is shown, and what is pressed is done.

import { isRestarted, seen, setMissing } from './away.js'
import { clearBeside, sayBeside } from './beside.js'
import { noteOwnAct, setOwn, showBoard, showEnding, showRows } from './board.js'
import { addMessage, note, resetChat } from './chat.js'
import { Connection } from './connection.js'
import { forgetEndings } from './endings.js'
import { $, lasted, nameOf } from './make.js'
import { loadRoute } from './route.js'

const TOO_MUCH = 'x'.repeat(5_000)

/** What a browser can do to its own connection; the rest the server does when it is asked. */
const OWN_ACTS = {
  close: () => connection.close(1000, 'bye'),
  code: () => connection.close(closeCode()),
  big: () => connection.send(TOO_MUCH),
}
const HINTS = {
  helper: 'The server starts a test client, which does it. Try Freeze first.',
  tab: 'Dimmed: no page can do it to its own connection, or could watch it then.',
  closed: 'The buttons ask the server over this tab’s connection, which is not open.',
}
const UNREACHABLE = 'The server is unreachable.'
const LOST = 'The connection to the server is lost.'

const connection = new Connection()
const [form, text, code] = ['form', 'text', 'code'].map($)
const buttons = document.querySelectorAll('[data-act]')
const radios = document.querySelectorAll('[name=whose]')
let you
let isDrainAsked = false

connection.addEventListener('told', ({ detail }) => {
  onTold(detail)
  seen()
})
connection.addEventListener('state', () => {
  const { state, isRefused } = connection
  showButtons()
  if (state === 'waiting') setMissing(isRefused ? UNREACHABLE : LOST)
  if (state === 'open' || state === 'away') setMissing('')
  if (state === 'away') void watch()
})

function onTold(event) {
  if (event.type === 'welcome') {
    welcome(event)
  } else if (event.type === 'joined') {
    showRows([event.row])
    note(`${nameOf(event.row.client)} connected`)
  } else if (event.type === 'pulse') {
    showRows(event.rows)
  } else if (event.type === 'said') {
    addMessage(event.message, you)
  } else if (event.type === 'left') {
    const { client, cause } = event.ending
    showEnding(event.ending)
    note(`${nameOf(client)} ended: ${cause}`)
  } else if (event.type === 'note') {
    note(event.text)
  }
}

function welcome({ you: me, board, messages }) {
  you = me
  setOwn(you.id)
  resetChat(messages, you)
  if (show(board)) note('The server was restarted: what was said before is gone.')
  note('You connected')
}

/** Says whether another process than before has told it. */
function show(board) {
  const isAnew = isRestarted(board.server, connection.closedWith)
  if (isAnew) clearBeside()
  showBoard(board, isAnew)
  if (isDrainAsked && board.drained !== undefined) {
    sayBeside('drain', `drained in ${lasted(board.drained.duration)}`)
  }
  isDrainAsked = false
  return isAnew
}

/** Whoever is out sees on how it goes, and how their own connection ended. */
async function watch() {
  while (connection.state === 'away') {
    const board = await fetch('board')
      .then((response) => response.json())
      .catch(() => undefined)
    if (connection.state !== 'away') return
    setMissing(board === undefined ? UNREACHABLE : '')
    if (board !== undefined) {
      show(board)
      seen()
    }
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
$('start').addEventListener('click', () => {
  if (connection.state === 'open') connection.send('/helper freeze')
})

function press(act) {
  if (act === 'code' && closeCode() === undefined) {
    code.setCustomValidity('A client may send 1000, or 3000 to 4999.')
    code.reportValidity()
  } else if (act === 'drain') {
    isDrainAsked = true
    sayBeside('drain', 'draining')
    connection.send('/drain')
  } else if (whose() === 'helper') {
    connection.send(`/helper ${act} ${closeCode() ?? ''}`)
  } else {
    noteOwnAct(act)
    const own = OWN_ACTS[act] ?? (() => connection.send(`/${act}`))
    own()
  }
}

function showButtons() {
  const isOpen = connection.state === 'open'
  $('hint').textContent = HINTS[isOpen ? whose() : 'closed']
  $('send').disabled = !isOpen
  $('start').ariaDisabled = String(!isOpen)
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
  if (connection.state !== 'open' || text.value.trim() === '') return
  connection.send(text.value)
  text.value = ''
})

// An ending shows lines of the route: they come first.
await loadRoute()
forgetEndings()
showButtons()
connection.connect()
