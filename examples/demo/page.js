// The page's side of the room: what the server tells is shown, and what is pressed is done.

import { isRestarted, seen, setMissing } from './away.js'
import { clearBeside, sayBeside } from './beside.js'
import { noteOwnAct, setOwn, showBoard, showEnding, showRows } from './board.js'
import { addMessage, note, resetChat } from './chat.js'
import { Connection } from './connection.js'
import { forgetEndings } from './endings.js'
import { isLineDown, lineAsked, lineBack, lineGone, showLine, wordsOf } from './gap.js'
import { $, lasted, nameOf } from './make.js'
import { loadRoute } from './route.js'

const TOO_MUCH = 'x'.repeat(5_000)

/** What a browser can do to its own connection; the rest the server does when it is asked. */
const OWN_ACTS = {
  close: () => connection.close(1000, 'bye'),
  code: () => connection.close(closeCode()),
  big: () => connection.send(TOO_MUCH),
}
/** What the server does to this tab's line, whatever is chosen. */
const LINE_ACTS = { 'line-cut': 'cut', 'line-silence': 'silence' }
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
  if (state === 'waiting' && !isLineDown()) setMissing(isRefused ? UNREACHABLE : LOST)
  if (state === 'open' || state === 'away') setMissing('')
  if (state === 'away') {
    lineGone()
    void watch()
  }
})

function onTold(event) {
  if (event.type === 'welcome') {
    welcome(event)
  } else if (event.type === 'joined') {
    showRows([event.row])
    note(`${nameOf(event.row.client)} connected`)
  } else if (event.type === 'resumed') {
    showRows([event.row])
    note(`${nameOf(event.row.client)} is back: ${wordsOf(event.row.gap)}`)
    if (event.row.client.id === you.id) {
      lineBack(event.row)
      showButtons()
    }
  } else if (event.type === 'undelivered') {
    note(`Not confirmed by the session that has ended: ${event.messages.join(', ')}`)
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
  lineGone()
  showButtons()
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

/** Whoever is out, or has no line, sees on how it goes, and how their own connection ended. */
async function watch() {
  while (isWatching()) {
    const board = await fetch('board')
      .then((response) => response.json())
      .catch(() => undefined)
    if (!isWatching()) return
    setMissing(board === undefined ? UNREACHABLE : '')
    if (board !== undefined) {
      show(board)
      seen()
      const own = board.rows.find(({ client }) => client.id === you.id)
      if (own !== undefined) showLine(own)
    }
    await new Promise((resolve) => setTimeout(resolve, isLineDown() ? 200 : 1_000))
  }
}

function isWatching() {
  return connection.state === 'away' || isLineDown()
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
  } else if (act in LINE_ACTS) {
    connection.send(`/line ${LINE_ACTS[act]}`)
    lineAsked(act)
    showButtons()
    void watch()
  } else if (whose() === 'helper') {
    connection.send(`/helper ${act} ${closeCode() ?? ''}`)
  } else {
    noteOwnAct(act)
    const own = OWN_ACTS[act] ?? (() => connection.send(`/${act}`))
    own()
  }
}

function showButtons() {
  const isOpen = connection.state === 'open' && !isLineDown()
  $('hint').textContent = HINTS[isOpen ? whose() : 'closed']
  $('send').disabled = !canSpeak()
  $('start').ariaDisabled = String(!isOpen)
  for (const button of buttons) {
    // Not disabled: a button that is cannot keep the focus until it may be pressed again.
    button.ariaDisabled = String(!isOpen || (whose() === 'tab' && 'helper' in button.dataset))
  }
}

/** What is said while the line is down waits for it. */
function canSpeak() {
  return you !== undefined && connection.state !== 'away'
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
  if (!canSpeak() || text.value.trim() === '') return
  connection.send(text.value)
  text.value = ''
})

// An ending shows lines of the route: they come first.
await loadRoute()
forgetEndings()
showButtons()
connection.connect()
