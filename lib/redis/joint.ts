import type { Socket } from 'node:net'
import { reset } from '../platform/reset.js'
import type { Clock, Timer } from '../time/clock.js'
import { ignoreError } from './sockets.js'

/** How long two sockets may take to end after the first FIN, in ms. */
const ENDING_LIMIT = 30_000

/**
 * After how much silence the kernel asks whether the other node is still there, in ms. A machine that lost its power
 * sends no FIN, and its client may be gone too.
 */
const SILENCE_LIMIT = 30_000

/**
 * Two sockets, each of which gets what comes from the other. A FIN becomes a FIN, all else that ends one becomes a
 * RST of the other.
 */
export class Joint {
  readonly #client: Socket
  readonly #owner: Socket
  readonly #clock: Clock
  readonly #onGone: () => void
  /** How many of both are there. */
  #open = 2
  #deadline: Timer | undefined

  constructor(client: Socket, owner: Socket, clock: Clock, onGone: () => void) {
    this.#client = client
    this.#owner = owner
    this.#clock = clock
    this.#onGone = onGone
    this.#lead(client, owner)
    this.#lead(owner, client)
    owner.setKeepAlive(true, SILENCE_LIMIT)
  }

  /** Ends both. Sessions notice that it was not their peer: no close frame comes. */
  cut(): void {
    this.#client.destroy()
    this.#owner.destroy()
  }

  #lead(from: Socket, to: Socket): void {
    // The server may have given it a limit for requests.
    from.setTimeout(0)
    from.setNoDelay(true)
    from.on('error', ignoreError)
    from.once('end', this.#onFirstEnd)
    from.once('close', () => this.#closed(from, to))
    from.pipe(to)
  }

  readonly #onFirstEnd = (): void => {
    this.#deadline ??= this.#clock.setTimeout(() => {
      reset(this.#client)
      reset(this.#owner)
    }, ENDING_LIMIT)
    this.#deadline.unref()
  }

  #closed(from: Socket, to: Socket): void {
    // What it has sent still goes to the other one. What the other one sends has nowhere to go.
    if (from.readableEnded && from.errored === null) to.destroySoon()
    else reset(to)
    if (--this.#open > 0) return
    if (this.#deadline !== undefined) this.#clock.clearTimeout(this.#deadline)
    this.#onGone()
  }
}
