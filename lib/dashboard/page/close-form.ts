import type { CloseAnswer } from '../protocol.js'
import type { Line } from './line.js'
import { $, say } from './make.js'

/** RFC 6455 5.5: a control frame has 125 bytes, of which the code takes two. */
const MOST_BYTES = 123

/** Closes the connection that is looked at; it asks once. */
export class CloseForm {
  readonly #line: Line
  readonly #form = $('close', HTMLFormElement)
  readonly #code = $('close-code', HTMLInputElement)
  readonly #reason = $('close-reason', HTMLInputElement)
  #id = ''
  #step: 'fill' | 'confirm' | 'sent' = 'fill'

  constructor(line: Line) {
    this.#line = line
    this.#form.addEventListener('submit', (event) => {
      event.preventDefault()
      this.#submit()
    })
    $('close-back').addEventListener('click', () => {
      this.#go('fill')
      this.#code.focus()
    })
    this.#reason.addEventListener('input', () => {
      const { length } = new TextEncoder().encode(this.#reason.value)
      const problem =
        length > MOST_BYTES ? `At most ${MOST_BYTES} bytes fit: these are ${length}.` : ''
      this.#reason.setCustomValidity(problem)
    })
  }

  /** For another connection: what was typed for one before is gone. */
  show(id: string): void {
    this.#id = id
    this.#form.reset()
    this.#reason.setCustomValidity('')
    this.#form.hidden = false
    this.#go('fill')
    say($('close-status'), '')
  }

  hide(): void {
    this.#form.hidden = true
  }

  answer({ id, refusal }: CloseAnswer): void {
    if (id !== this.#id) return
    this.#go('fill')
    say($('close-status'), refusal === '' ? 'It is closing.' : `It was not closed: ${refusal}`)
  }

  #submit(): void {
    if (this.#step === 'fill') {
      this.#go('confirm')
      $('close-back').focus()
      return
    }
    if (this.#step === 'sent') return
    if (this.#line.state.name !== 'open') {
      say($('close-status'), 'It was not closed: the server is not there.')
      return
    }
    this.#line.say({
      type: 'close',
      id: this.#id,
      code: this.#code.valueAsNumber,
      reason: this.#reason.value,
    })
    this.#go('sent')
    say($('close-status'), 'The server was asked to close it.')
  }

  #go(step: 'fill' | 'confirm' | 'sent'): void {
    this.#step = step
    const isAsking = step === 'confirm'
    this.#code.readOnly = this.#reason.readOnly = step !== 'fill'
    $('close-back').hidden = !isAsking
    const submit = $('close-submit', HTMLButtonElement)
    submit.disabled = step === 'sent'
    submit.classList.toggle('danger', isAsking)
    say(submit, isAsking ? 'Yes, close it' : 'Close…')
    const reason = this.#reason.value === '' ? 'no reason' : `“${this.#reason.value}”`
    if (isAsking) say($('close-status'), `Close it with ${this.#code.value} and ${reason}?`)
  }
}
