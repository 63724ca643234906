import type { CloseAnswer, EndAnswer, Hello, LiveDetails, Update } from '../protocol.js'
import { CloseForm } from './close-form.js'
import { factsOfEnd, stepsOf } from './end-facts.js'
import type { Entries } from './entries.js'
import type { Entry } from './entry.js'
import { showFacts, showHistory } from './facts.js'
import type { Line } from './line.js'
import { factsOfEntry, factsOfLive } from './live-facts.js'
import { $, fit, make, say } from './make.js'
import type { Part } from './part.js'
import type { ServerClock } from './server-clock.js'

/** What the sheet shows. */
type Shown =
  | { readonly kind: 'nothing' }
  | { readonly kind: 'live'; readonly id: string; readonly entry: Entry; live?: LiveDetails }
  | { readonly kind: 'end'; readonly id: string; readonly answer?: EndAnswer }

/** One connection's own view, or the record of its end. */
export class Sheet implements Part {
  readonly #dialog = $('sheet', HTMLDialogElement)
  readonly #entries: Entries
  readonly #line: Line
  readonly #clock: ServerClock
  readonly #form: CloseForm
  readonly #changed: () => void
  #shown: Shown = { kind: 'nothing' }
  #startedAt = 0

  constructor(entries: Entries, line: Line, clock: ServerClock, changed: () => void) {
    this.#entries = entries
    this.#line = line
    this.#clock = clock
    this.#changed = changed
    this.#form = new CloseForm(line)
    const dialog = this.#dialog
    $('sheet-shut').addEventListener('click', () => dialog.close())
    dialog.addEventListener('click', ({ target }) => {
      // The dialog itself is only what is around its content.
      if (target === dialog) dialog.close()
    })
    dialog.addEventListener('close', () => {
      if (this.#shown.kind === 'live') line.say({ type: 'look', id: null })
      this.#shown = { kind: 'nothing' }
    })
  }

  /** A connection that is there, or was a moment ago. */
  openLive(id: string): void {
    const entry = this.#entries.find(id)
    if (entry === undefined) {
      this.openEnd(id)
      return
    }
    this.#shown = { kind: 'live', id, entry }
    this.#form.show(id)
    this.#line.say({ type: 'look', id })
    this.#open()
  }

  openEnd(id: string): void {
    this.#shown = { kind: 'end', id }
    this.#form.hide()
    this.#line.say({ type: 'end', id })
    this.#open()
  }

  reset({ startedAt }: Hello): void {
    const isOther = startedAt !== this.#startedAt
    this.#startedAt = startedAt
    const shown = this.#shown
    if (shown.kind === 'live' && isOther) this.#becomeEnd(shown.id)
    else if (shown.kind === 'live') this.#line.say({ type: 'look', id: shown.id })
    else if (shown.kind === 'end' && shown.answer === undefined) {
      this.#line.say({ type: 'end', id: shown.id })
    }
  }

  take({ live, gone = [] }: Update): void {
    const shown = this.#shown
    if (shown.kind !== 'live') return
    if (live?.id === shown.id) shown.live = live
    // It may have ended while nothing was heard.
    const isMissing =
      this.#entries.coming === 0 && this.#entries.find(shown.id) === undefined && live === undefined
    if (isMissing || gone.includes(shown.id)) this.#becomeEnd(shown.id)
  }

  takeEnd(answer: EndAnswer): void {
    if (this.#shown.kind !== 'end' || this.#shown.id !== answer.id) return
    this.#shown = { kind: 'end', id: answer.id, answer }
    this.#changed()
  }

  takeClosed(answer: CloseAnswer): void {
    this.#form.answer(answer)
  }

  draw(): void {
    const shown = this.#shown
    if (shown.kind === 'live') this.#drawLive(shown.entry, shown.live)
    else if (shown.kind === 'end') this.#drawEnd(shown.answer)
  }

  #open(): void {
    for (const id of ['sheet-facts', 'sheet-history', 'sheet-steps']) $(id).replaceChildren()
    this.#dialog.showModal()
    this.#dialog.scrollTop = 0
    this.#changed()
  }

  #becomeEnd(id: string): void {
    this.#shown = { kind: 'end', id }
    this.#form.hide()
    this.#line.say({ type: 'look', id: null })
    this.#line.say({ type: 'end', id })
  }

  #drawLive(entry: Entry, live: LiveDetails | undefined): void {
    const now = this.#clock.now()
    this.#drawTitle('Connection', entry.id, '')
    showFacts(
      $('sheet-facts'),
      live === undefined ? factsOfEntry(entry, now) : factsOfLive(live, now),
    )
    this.#drawHistory(live?.history ?? [], [])
  }

  #drawEnd(answer: EndAnswer | undefined): void {
    const { id } = this.#shown as { id: string }
    const details = answer?.details ?? null
    const isUnknown = answer !== undefined && details === null
    this.#drawTitle(
      'Ended',
      id,
      isUnknown ? 'It is over, and not among the ends that the server keeps.' : '',
    )
    // What was known while it was there stays, until its record comes.
    if (details === null) return
    showFacts($('sheet-facts'), factsOfEnd(details))
    this.#drawHistory(details.history, stepsOf(details))
  }

  #drawTitle(kind: string, id: string, note: string): void {
    say($('sheet-kind'), kind)
    say($('sheet-id'), id)
    say($('sheet-note'), note)
  }

  #drawHistory(history: LiveDetails['history'], steps: readonly string[]): void {
    showHistory($('sheet-history'), history)
    fit($('sheet-steps'), steps, () => make('li'), say)
    $('sheet-history-title').hidden = history.length === 0
    $('sheet-steps-title').hidden = steps.length === 0
  }
}
