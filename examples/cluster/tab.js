// This tab's session, and what it tells of its own life.

import { Beats } from './beats.js'
import { LifecycleClient } from './client.js'
import { $, lasted } from './make.js'

/** By this the balancer knows whose line to cut, and to which node it went the last time. */
const visitor = Math.random().toString(36).slice(2)

export class Tab extends EventTarget {
  /** Whose session it is; another one after its node was killed. */
  you
  #client
  #beats = new Beats()
  #received = 0
  #resumes = 0
  #lostAt = 0
  /** Of the gap that is just over: how many messages had waited, and how many were missing before. */
  #gap
  #node

  connect() {
    const url = new URL(`room?visitor=${visitor}`, location.href)
    url.protocol = location.protocol === 'https:' ? 'wss:' : 'ws:'
    this.#client = new LifecycleClient(url, { resume: true, backoff: { min: 300, max: 3_000 } })
    this.#client.addEventListener('open', ({ first, resumed, undelivered }) => {
      if (resumed) this.#gap = { waited: 0, missing: this.#beats.missing }
      if (resumed || first) return
      this.#beats.beginAnew()
      for (const text of undelivered) this.#client.send(text)
    })
    this.#client.addEventListener('message', ({ data }) => this.#onMessage(JSON.parse(data)))
    this.#client.addEventListener('lost', ({ attempts, code }) => {
      if (attempts === 0) this.#lostAt = performance.now()
      this.#show('waiting', `Lost (${code}): coming back`)
    })
    this.#client.addEventListener('close', ({ code }) => this.#show('away', `Over: ${code}`))
  }

  /** While the line is down this is kept, and sent when it is back. */
  say(text) {
    this.#client.send(text)
  }

  async cut() {
    $('story').textContent = ''
    await post('cut', { visitor })
  }

  #onMessage(event) {
    if (event.type === 'welcome') this.#welcome(event)
    else if (event.type === 'back') this.#back(event)
    else this.#count(event)
    this.dispatchEvent(new CustomEvent('told', { detail: event }))
  }

  #count(event) {
    this.#received++
    if (this.#gap !== undefined) this.#gap.waited++
    if (event.type === 'beat') this.#beats.hear(event)
    $('received').textContent = this.#received
    $('missing').textContent = this.#beats.missing
    $('missing').classList.toggle('odd-number', this.#beats.missing > 0)
  }

  #welcome({ you, node, through }) {
    if (this.you !== undefined) {
      $('story').textContent =
        `Your session ended with node ${this.#node}. You have a new one, on node ${node}.`
    }
    this.you = you
    this.#shows(node, through)
  }

  /** The server says so when all that had waited is sent. */
  #back({ node, through }) {
    const { waited, missing } = this.#gap
    this.#gap = undefined
    const lost = this.#beats.missing - missing
    const way = through === node ? '' : ` through node ${through}`
    const rest = lost === 0 ? 'nothing lost' : `${lost} messages lost`
    $('story').textContent =
      `Resumed on node ${node}${way} after ${lasted(performance.now() - this.#lostAt)}, ` +
      `${rest}: ${waited} messages had waited.`
    $('resumes').textContent = ++this.#resumes
    this.#shows(node, through)
  }

  #shows(node, through) {
    this.#node = node
    $('node').textContent = `node ${node}`
    $('through').textContent = through === node ? `node ${node}` : `node ${through}, which pipes`
    this.#show('open', `You are ${this.you.name}, on node ${node}`)
  }

  #show(state, words) {
    $('own').dataset.state = state
    $('status').textContent = words
  }
}

/** A page of another site cannot send JSON. */
export function post(path, body) {
  return fetch(path, {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify(body),
  })
}
