import type { CloseInfo } from '../../../../lib/index.js'
import { Tally } from '../tally.js'
import type { Cut } from './config.js'

/** How many lines of faults are kept. */
const MOST_FAULTS = 50
/** How many ends of healthy peers are. */
const MOST_CUTS = 300

/** An error that a callback of ours throws on purpose. */
export class OnPurposeError extends Error {}

/** What the server counts by itself, without asking the plugin. What is over takes no memory. */
export class Accounts {
  readonly opens = new Tally()
  readonly closes = new Tally()
  readonly causes = new Tally()
  readonly faults: string[] = []
  readonly cuts: Cut[] = []
  acquired = 0
  released = 0
  /** Of hooks and releases that run before `socket.closed` resolves: whoever throws there is heard. */
  thrown = 0
  heard = 0
  /** Hooks and releases that hang for ever. */
  hung = 0
  readonly #open = new Set<string>()
  #faultCount = 0

  get unclosed(): string[] {
    return [...this.#open]
  }

  fault(text: string): void {
    if (++this.#faultCount <= MOST_FAULTS) this.faults.push(text)
  }

  /** The handler was called. */
  opened(route: string, id: string): void {
    this.opens.add(route)
    if (this.#open.has(id)) this.fault(`the handler of ${route} was called twice for ${id}`)
    this.#open.add(id)
  }

  /** `onClose` was called. */
  closed(route: string, id: string, { cause }: CloseInfo): void {
    this.closes.add(route)
    this.causes.add(cause)
    if (this.#open.delete(id)) return
    this.fault(`onClose of ${route}, ${cause}: for ${id}, which is over or did not open`)
  }

  /** A peer has ended that has told its name. */
  named(who: string, route: string, close: CloseInfo): void {
    const { cause, code, duration, expected, history } = close
    if (expected) return
    this.cuts.push({ who, route, cause, code, duration, history })
    if (this.cuts.length > MOST_CUTS) this.cuts.shift()
  }

  /**
   * Takes a resource.
   * @returns gives it back; the first time that it is called
   */
  acquire(what: string): () => void {
    this.acquired++
    let isHeld = true
    return () => {
      if (!isHeld) this.fault(`${what} was released twice`)
      isHeld = false
      this.released++
    }
  }

  /** @throws OnPurposeError, of which `onHandlerError` has to be told */
  throwOnPurpose(where: string): never {
    this.thrown++
    throw new OnPurposeError(where)
  }

  handlerError(error: Error): void {
    if (error instanceof OnPurposeError) this.heard++
  }
}
