import type { Socket } from 'node:net'
import { clearTimeout, monotonic, setTimeout } from '../platform/real-time.js'

/** Where the bytes of a {@link Flow} go. */
interface Sink {
  /** @returns `false` if no more may come before {@link Flow.goOn} */
  take(bytes: Buffer): boolean
  /** A FIN has come. */
  ended(): void
  /** The socket has closed; nothing follows. */
  closed(error: Error | undefined): void
}

/** How many bytes wait before the socket is not read any more. */
const MOST_QUEUED = 1024 * 1024
/** How often some bytes pass, where they have to be slow, and how late they may make up for. In ms. */
const BEAT = 10
const MOST_LATE = 20

/** What comes over a socket, given on: at once, later, slowly, or not for now. A RST overtakes what waits. */
export class Flow {
  readonly #from: Socket
  readonly #sink: Sink
  #queue: Array<{ readonly bytes: Buffer; readonly dueAt: number }> = []
  #queued = 0
  #delay = 0
  /** Bytes in a second. */
  #rate = Infinity
  /** When more may pass, at this rate. */
  #freeAt = 0
  #isHeld = false
  #isBlocked = false
  #timer: NodeJS.Timeout | undefined
  /** What the sink has to be told. */
  #hasEnded = false
  #hasClosed = false
  #error: Error | undefined

  constructor(from: Socket, sink: Sink) {
    this.#from = from
    this.#sink = sink
    from.on('data', (bytes) => this.#add(bytes))
    from.on('end', () => {
      this.#hasEnded = true
      this.#pump()
    })
    from.on('error', (error) => {
      this.#error = error
      this.#queue = []
      this.#queued = 0
      this.#isBlocked = false
    })
    from.on('close', () => {
      this.#hasClosed = true
      this.#pump()
    })
  }

  /** From now on nothing is given on, not even an end. */
  hold(): void {
    this.#isHeld = true
    this.#pump()
  }

  release(): void {
    this.#isHeld = false
    this.#pump()
  }

  /** The sink takes more. */
  goOn(): void {
    this.#isBlocked = false
    this.#pump()
  }

  set delay(ms: number) {
    this.#delay = ms
  }

  /** @throws RangeError */
  set rate(bytesPerSecond: number) {
    if (!(bytesPerSecond > 0)) {
      throw new RangeError(`Expected more than 0 bytes in a second, got ${bytesPerSecond}`)
    }
    this.#rate = bytesPerSecond
    this.#freeAt = 0
    this.#pump()
  }

  #add(bytes: Buffer): void {
    this.#queue.push({ bytes, dueAt: monotonic() + this.#delay })
    this.#queued += bytes.length
    this.#pump()
  }

  #pump(): void {
    clearTimeout(this.#timer)
    while (!this.#isHeld && !this.#isBlocked) {
      const [first] = this.#queue
      if (first === undefined) {
        this.#tellEnd()
        break
      }
      const wait = Math.max(first.dueAt, this.#freeAt) - monotonic()
      if (wait > 0) {
        this.#timer = setTimeout(() => this.#pump(), wait)
        break
      }
      this.#pass(first)
    }
    const most = this.#rate === Infinity ? MOST_QUEUED : 0
    if (this.#isHeld || this.#queued > most) this.#from.pause()
    else this.#from.resume()
  }

  #pass({ bytes, dueAt }: { readonly bytes: Buffer; readonly dueAt: number }): void {
    const most = Math.max(1, Math.floor((this.#rate * BEAT) / 1_000))
    const piece = bytes.subarray(0, most)
    if (piece.length === bytes.length) this.#queue.shift()
    else this.#queue[0] = { bytes: bytes.subarray(most), dueAt }
    this.#queued -= piece.length
    const from = Math.max(this.#freeAt, monotonic() - MOST_LATE)
    this.#freeAt = from + (piece.length / this.#rate) * 1_000
    this.#isBlocked = !this.#sink.take(piece)
  }

  #tellEnd(): void {
    if (this.#hasEnded) {
      this.#hasEnded = false
      this.#sink.ended()
    }
    if (this.#hasClosed) {
      this.#hasClosed = false
      this.#sink.closed(this.#error)
    }
  }
}
