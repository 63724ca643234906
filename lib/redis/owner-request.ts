import type { Socket } from 'node:net'
import { reset } from '../platform/reset.js'
import { afterNextPoll, type Sweep, type Swept } from '../time/sweep.js'
import { OFF } from '../time/wheel.js'
import { ignoreError } from './sockets.js'

/** How long a node may take to answer, in ms. While our loop stands still we hear nobody, so that does not count. */
export const ANSWER_LIMIT = 2_000

/** What came of a request to another node. Exactly one of these is called, and later. */
export interface Outcome {
  /** @param start the first bytes of the answer */
  answered(start: Buffer): void
  /** Nothing came. The client's stream is as it was. */
  unreached(error: Error): void
  /** The client has gone before that. */
  left(): void
}

/**
 * A request to the node that has a session, until the answer begins. Meanwhile nothing is read from the client:
 * what it sends waits in its stream.
 */
export class OwnerRequest implements Swept {
  dueAt = 0
  place: number = OFF
  readonly #client: Socket
  readonly #owner: Socket
  readonly #sweep: Sweep
  readonly #outcome: Outcome
  /** In forgiving time. */
  readonly #answerBy: number

  constructor(client: Socket, owner: Socket, request: Buffer, sweep: Sweep, outcome: Outcome) {
    this.#client = client
    this.#owner = owner
    this.#sweep = sweep
    this.#outcome = outcome
    owner.on('error', ignoreError)
    owner.on('data', this.#ownerOnData)
    owner.on('end', this.#ownerOnEnd)
    owner.on('close', this.#ownerOnEnd)
    // It leaves once there is a connection; with TLS, once the certificate was checked.
    owner.write(request)
    client.on('error', ignoreError)
    client.on('end', this.#clientOnEnd)
    client.on('close', this.#clientOnEnd)
    sweep.add(this)
    this.#answerBy = sweep.forgivingNow + ANSWER_LIMIT
  }

  /** Waits no longer. */
  cut(): void {
    this.#fail('this node shuts down')
  }

  onSweep(now: number, forgivingNow: number): void {
    const left = this.#answerBy - forgivingNow
    if (left > 0) this.#sweep.move(this, now + left)
    // The answer may have come meanwhile.
    else afterNextPoll(this.#onOverdue)
  }

  readonly #onOverdue = (): void => {
    if (this.place === OFF) return
    this.#fail(`Expected an answer within ${ANSWER_LIMIT} ms, got none`)
  }

  readonly #ownerOnData = (start: Buffer): void => {
    this.#over()
    this.#outcome.answered(start)
  }

  readonly #ownerOnEnd = (): void => {
    this.#fail('it has ended the connection without an answer')
  }

  /** After a FIN too: a client that sends no more will not shake hands. */
  readonly #clientOnEnd = (): void => {
    this.#over()
    reset(this.#owner)
    this.#client.destroy()
    this.#outcome.left()
  }

  #fail(why: string): void {
    const error = this.#owner.errored ?? new Error(why)
    this.#over()
    // A node that reads the request late finds out at once that nobody waits any more.
    reset(this.#owner)
    this.#outcome.unreached(error)
  }

  #over(): void {
    this.#sweep.delete(this)
    this.#owner.off('data', this.#ownerOnData)
    this.#owner.off('end', this.#ownerOnEnd)
    this.#owner.off('close', this.#ownerOnEnd)
    this.#client.off('error', ignoreError)
    this.#client.off('end', this.#clientOnEnd)
    this.#client.off('close', this.#clientOnEnd)
  }
}
