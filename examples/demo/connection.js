// The page's own connection: connecting → open → waiting → connecting ..., or away until asked.

import { $ } from './make.js'

/** Codes after which another attempt can end better; after any other it would end the same way. */
const RETRYABLE = new Set([1001, 1005, 1006, 1011, 1012, 1013, 1014, 3008])

/** The least wait, in ms, after codes that ask for more patience than a lost connection. */
const PATIENCE = { 1012: 2_000, 1013: 5_000 }
const FIRST_WAIT = 500
const LONGEST_WAIT = 15_000

/** A connection that held for so long, in ms, was a good one: the next wait is a short one again. */
const GOOD_FOR = 5_000

export class Connection extends EventTarget {
  state = 'connecting'
  /** The code that the last one ended with which had opened. */
  closedWith
  /** Whether the last attempt opened none. */
  isRefused = false
  #socket
  #openedAt = 0
  #attempts = 0
  #retryAt = 0
  #timer

  constructor() {
    super()
    $('door').addEventListener('click', () => {
      $('status').focus() // the button goes away
      this.connect()
    })
    addEventListener('online', () => this.#tryNow())
    document.addEventListener('visibilitychange', () => {
      if (document.visibilityState === 'visible') this.#tryNow()
    })
  }

  connect() {
    clearTimeout(this.#timer)
    this.#show(
      'connecting',
      this.#attempts > 0 ? `Connecting, try ${this.#attempts}` : 'Connecting',
    )
    const url = new URL('room', location.href)
    url.protocol = location.protocol === 'https:' ? 'wss:' : 'ws:'
    const name = sessionStorage.getItem('name')
    if (name !== null) url.searchParams.set('name', name)
    this.#socket = new WebSocket(url)
    this.#socket.addEventListener('message', ({ data }) => this.#onMessage(JSON.parse(data)))
    this.#socket.addEventListener('close', (close) => this.#onClose(close))
  }

  send(text) {
    this.#socket.send(text)
  }

  close(code, reason) {
    this.#socket.close(code, reason)
  }

  #show(state, words) {
    this.state = state
    $('own').dataset.state = state
    $('status').textContent = words
    $('countdown').textContent = ''
    $('door').textContent = state === 'away' ? 'Come back' : 'Try now'
    this.dispatchEvent(new CustomEvent('state', { detail: state }))
  }

  #onMessage(event) {
    if (event.type === 'welcome') {
      this.#openedAt = performance.now()
      sessionStorage.setItem('name', event.you.name)
      this.#show('open', `You are ${event.you.name}`)
    }
    this.dispatchEvent(new CustomEvent('told', { detail: event }))
  }

  #onClose({ code, reason }) {
    this.isRefused = this.#openedAt === 0
    if (!this.isRefused) this.closedWith = code
    if (this.#openedAt > 0 && performance.now() - this.#openedAt > GOOD_FOR) this.#attempts = 0
    this.#openedAt = 0
    const why = reason === '' ? `code ${code}` : `code ${code}, ${reason}`
    if (!RETRYABLE.has(code)) {
      this.#attempts = 0
      this.#show('away', `Out: ${why}. Not retryable`)
      return
    }
    const most = Math.min(LONGEST_WAIT, FIRST_WAIT * 2 ** this.#attempts++)
    // Half of it is chance: those who were sent away together do not come back together.
    this.#retryAt = performance.now() + (PATIENCE[code] ?? 0) + (most * (1 + Math.random())) / 2
    this.#show('waiting', `Lost: ${why}. Try ${this.#attempts}`)
    this.#wait()
  }

  #wait() {
    const left = this.#retryAt - performance.now()
    if (left <= 0) {
      this.connect()
      return
    }
    $('countdown').textContent = `in ${(left / 1_000).toFixed(1)} s`
    this.#timer = setTimeout(() => this.#wait(), Math.min(left, 100))
  }

  /** A good moment to try again: the network is back, or somebody looks. */
  #tryNow() {
    if (this.state === 'waiting') this.connect()
  }
}
