import type { FastifyInstance, FastifyRequest } from 'fastify'
import type { LifecycleSession } from '../api/session.js'
import { next } from './next.js'
import type { Picture } from './picture.js'
import type { LiveDetails, Row, ToPage, Update } from './protocol.js'

/** A page that has so many bytes to take gets no more until it has taken them. */
const MOST_WAITING = 512 * 1024

/** How many rows are on their way with each update. */
const CHUNK = 500

/** Somebody who looks: the session of a page, and what it has got. */
export class Viewer {
  readonly #app: FastifyInstance
  readonly #session: LifecycleSession
  readonly picture: Picture
  /** The last request of its session. */
  request: FastifyRequest
  /** The rows that it shows. */
  seen: readonly string[] = []
  /** The connection whose details it shows. */
  #looksAt: string | null = null
  /** Whether it has asked for these details, and waits. */
  #isWaiting = false
  /** Whether it has to get everything anew. */
  isBehind = true
  /** The rows that it has not got yet, and how many they are at most. */
  #rows: Iterator<Row> = [].values()
  #left = 0

  constructor(app: FastifyInstance, session: LifecycleSession, picture: Picture) {
    this.#app = app
    this.#session = session
    this.picture = picture
    this.request = session.request
  }

  /** Looks whether it takes what it is sent. If not, it is behind. */
  keepsUp(): boolean {
    const { bytes } = this.#app.websocketLifecycle.describe(this.#session).outbox
    if (!this.#session.suspended && bytes <= MOST_WAITING) return true
    this.isBehind = true
    return false
  }

  lookAt(id: string | null): void {
    this.#looksAt = id
    this.#isWaiting = true
  }

  /** The details that it is told now, if it looks at a connection that is there. @param isDue whether a second is over */
  takeDetails(isDue: boolean): LiveDetails | undefined {
    const isAsked = isDue || this.#isWaiting
    this.#isWaiting = false
    return isAsked && this.#looksAt !== null
      ? this.picture.rows.detailsOf(this.#looksAt)
      : undefined
  }

  /** It gets everything anew. */
  begin(): void {
    const { rows } = this.picture
    this.isBehind = false
    this.#rows = rows.all()
    this.#left = rows.size
  }

  /** The next of the rows that it has not got yet; `undefined` if there is none. */
  takeRows(): Required<Pick<Update, 'rows' | 'coming'>> | undefined {
    if (this.#left === 0) return undefined
    const wanted = Math.min(CHUNK, this.#left)
    const rows = next(this.#rows, wanted)
    // Some may have gone meanwhile.
    this.#left -= wanted
    return { rows, coming: this.picture.rows.coming + this.#left }
  }

  say(message: ToPage): void {
    this.sayText(JSON.stringify(message))
  }

  sayText(text: string): void {
    this.#session.send(text)
  }

  /** Ends its session. */
  close(code: number, reason: string): void {
    this.#session.close(code, reason)
  }
}
