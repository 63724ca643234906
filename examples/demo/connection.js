// The page's own connection: connecting → open → waiting → connecting ..., or away until asked.

import { LifecycleClient } from './client.js'
import { $ } from './make.js'

/** How long it waits before it tries again, in ms: at random up to the first, later up to the second. */
const BACKOFF = { min: 1_000, max: 15_000 }

export class Connection extends EventTarget {
  state = 'connecting'
  /** The code that the last one ended with which had opened. */
  closedWith
  /** Whether the last attempt opened none. */
  isRefused = false
  #client
  #name
  #tries = 0
  #retryAt = 0
  #timer

  constructor() {
    super()
    $('door').addEventListener('click', () => {
      $('status').focus() // the button goes away
      if (this.state === 'waiting') this.#client.reconnect()
      else this.connect()
    })
  }

  connect() {
    this.#show('connecting', 'Connecting')
    this.#client = new LifecycleClient(address, { resume: true, backoff: BACKOFF })
    this.#client.addEventListener('open', ({ resumed, undelivered }) => {
      this.#tries = 0
      if (resumed) this.#show('open', `You are ${this.#name}`)
      else if (undelivered.length > 0) this.#tell({ type: 'undelivered', messages: undelivered })
    })
    this.#client.addEventListener('message', ({ data }) => this.#onMessage(JSON.parse(data)))
    this.#client.addEventListener('lost', (lost) => this.#onLost(lost))
    this.#client.addEventListener('close', ({ code, reason }) => {
      this.closedWith = code
      this.isRefused = false
      this.#show('away', `Out: ${whyOf(code, reason)}. Not retryable`)
    })
  }

  /** While it is waiting for the server this is kept, and sent when that is back. */
  send(text) {
    this.#client.send(text)
  }

  close(code, reason) {
    this.#client.close(code, reason)
  }

  #show(state, words) {
    clearTimeout(this.#timer)
    this.state = state
    $('own').dataset.state = state
    $('status').textContent = words
    $('countdown').textContent = ''
    $('door').textContent = state === 'away' ? 'Come back' : 'Try now'
    this.dispatchEvent(new CustomEvent('state', { detail: state }))
  }

  #tell(event) {
    this.dispatchEvent(new CustomEvent('told', { detail: event }))
  }

  #onMessage(event) {
    if (event.type === 'welcome') {
      this.#name = event.you.name
      sessionStorage.setItem('name', this.#name)
      this.#show('open', `You are ${this.#name}`)
    }
    this.#tell(event)
  }

  #onLost({ code, reason, attempts, retryIn }) {
    this.isRefused = attempts > 0
    if (!this.isRefused) this.closedWith = code
    this.#tries++
    this.#retryAt = performance.now() + retryIn
    this.#show('waiting', `Lost: ${whyOf(code, reason)}. Try ${this.#tries}`)
    this.#wait()
  }

  #wait() {
    if (this.#client.state === 'connecting') {
      this.#show('connecting', `Connecting, try ${this.#tries}`)
      return
    }
    const left = Math.max(0, this.#retryAt - performance.now())
    $('countdown').textContent = `in ${(left / 1_000).toFixed(1)} s`
    this.#timer = setTimeout(() => this.#wait(), 100)
  }
}

/** Asked before each attempt. */
function address() {
  const url = new URL('line', location.href)
  url.protocol = location.protocol === 'https:' ? 'wss:' : 'ws:'
  const name = sessionStorage.getItem('name')
  if (name !== null) url.searchParams.set('name', name)
  return url
}

function whyOf(code, reason) {
  return reason === '' ? `code ${code}` : `code ${code}, ${reason}`
}
