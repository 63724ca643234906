import type { Hello, Update } from '../protocol.js'
import type { Line, LineState } from './line.js'
import { $, say } from './make.js'
import type { Part } from './part.js'
import type { ServerClock } from './server-clock.js'
import { age, plain, timeOf } from './words.js'

/** How the page stands to its server, and which server that is. */
export class Head implements Part {
  readonly #line: Line
  readonly #clock: ServerClock
  #startedAt = 0
  #node: string | null = null
  #heardAt = 0
  #isDraining = false

  constructor(line: Line, clock: ServerClock) {
    this.#line = line
    this.#clock = clock
    $('try').addEventListener('click', () => line.tryNow())
  }

  reset({ startedAt, node, at }: Hello): void {
    this.#startedAt = startedAt
    this.#node = node
    this.#heardAt = at
    this.#isDraining = false
  }

  take({ at, draining }: Update): void {
    this.#heardAt = at
    this.#isDraining ||= draining === true
  }

  draw(): void {
    const { state } = this.#line
    const { line } = document.body.dataset
    const name = this.#isDraining && state.name === 'open' ? 'draining' : state.name
    if (line !== name) document.body.dataset['line'] = name
    say($('status'), this.#words())
    // A countdown in a region that is read aloud would never end.
    say($('countdown'), state.name === 'interrupted' ? countdown(state.retryAt) : '')
    $('try').hidden = state.name !== 'interrupted'
    const since = this.#startedAt === 0 ? '' : `up ${age(this.#clock.now() - this.#startedAt)}`
    say($('server'), this.#node === null ? since : `node ${plain(this.#node)}, ${since}`)
  }

  #words(): string {
    const { state } = this.#line
    if (state.name === 'connecting') return 'Connecting'
    if (state.name === 'open') return this.#isDraining ? 'Live: the server shuts down' : 'Live'
    const seen = this.#heardAt === 0 ? '' : ` This is what was seen at ${timeOf(this.#heardAt)}.`
    return `${why(state)}${seen}`
  }
}

function why(
  state: Exclude<LineState, { readonly name: 'connecting' } | { readonly name: 'open' }>,
): string {
  if (state.name === 'unauthorised') return 'You may not look any more.'
  if (state.name === 'over') return `It is over: ${state.code} ${plain(state.reason)}.`
  return state.attempts === 0 ? 'Interrupted.' : `Interrupted, attempt ${state.attempts}.`
}

function countdown(retryAt: number): string {
  const left = Math.ceil((retryAt - performance.now()) / 1_000)
  return left > 0 ? `Next try in ${left} s` : 'Trying'
}
