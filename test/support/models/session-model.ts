// A session as two ends and the wires between them: without sockets, hooks or time.
import assert from 'node:assert/strict'
import {
  ack,
  type Control,
  MARK,
  offered,
  readControl,
  readOffer,
  welcome,
} from '../../../lib/core/session/link.js'
import { Incoming, Outgoing } from '../../../lib/core/session/numbering.js'

/** A text of the app, as it goes over a wire. */
function marked(text: string): string {
  return text.startsWith(MARK) ? MARK + text : text
}

/** What comes over a wire. */
type Frame = Control | { readonly kind: 'message'; readonly value: string }

function readFrame(text: string): Frame {
  if (!text.startsWith(MARK)) return { kind: 'message', value: text }
  if (text.startsWith(MARK + MARK)) return { kind: 'message', value: text.slice(1) }
  const control = readControl(text)
  assert.ok(control, `malformed: ${JSON.stringify(text)}`)
  return control
}

/** The rules of the link. A test takes one of them out, and has to see that it was needed. */
export interface Rules {
  /** The server takes only an attempt that is newer than the last one that it took. */
  readonly numbersAttempts: boolean
  /** The server ignores what comes from a connection that another one has superseded. */
  readonly ignoresSuperseded: boolean
  /** The client ignores what comes from a connection that it has let go of. */
  readonly dropsListeners: boolean
  /** Only the app confirms what has come, and no pong of the platform beneath it. */
  readonly confirmsInTheApp: boolean
}

export const RULES: Rules = {
  numbersAttempts: true,
  ignoresSuperseded: true,
  dropsListeners: true,
  confirmsInTheApp: true,
}

/** The client's close code of a connection that it believes to be dead, the server's of an attempt that is too old. */
const [LET_GO, STALE] = ['close 4990', 'close 4991']
const TOKEN = 'x'

/** One connection. What one end sends, the other one gets in order, late, and perhaps not all of it. */
export class Wire {
  /** What the client asks for. It gets to the server when it gets there. */
  readonly request: string
  hasArrived = false
  readonly up: string[] = []
  readonly down: string[] = []
  /** What has come to the client's platform, and is not with the app yet. */
  readonly landed: string[] = []
  /** Whether nothing more gets through. */
  isUpDead = false
  isDownDead = false

  constructor(request: string) {
    this.request = request
  }

  get isWhole(): boolean {
    return !this.isUpDead && !this.isDownDead
  }

  toServer(frame: string): void {
    if (!this.isUpDead) this.up.push(frame)
  }

  toClient(frame: string): void {
    if (!this.isDownDead) this.down.push(frame)
  }

  /** From now on nothing more gets in, and of what is on its way so many frames get out. */
  killUp(left: number): void {
    this.isUpDead = true
    this.up.length = Math.min(this.up.length, left)
  }

  killDown(left: number): void {
    this.isDownDead = true
    this.down.length = Math.min(this.down.length, left)
  }
}

/** What both ends have. The messages of each are 1, 2, 3, …, and some begin like a control frame. */
abstract class End {
  readonly incoming = new Incoming()
  readonly outgoing = new Outgoing<number>()
  wire: Wire | undefined
  /** Number of messages that the app has got. */
  handled = 0
  #toldLast = 0

  push(): void {
    this.outgoing.push(this.outgoing.total + 1)
  }

  /** The app gets a message: the next one, or something is wrong. */
  protected take(message: string): boolean {
    assert.equal(Number(message.replace('\0', '')), this.handled + 1, 'not the next message')
    this.handled++
    return this.incoming.note(message.length)
  }

  protected confirmed(count: number): void {
    const { acknowledged, total } = this.outgoing
    assert.ok(acknowledged <= count && count <= total, `${count} of ${acknowledged} to ${total}`)
    assert.ok(this.outgoing.acknowledge(count), `${count} were never sent`)
  }

  protected told(): number {
    const count = this.incoming.tell()
    assert.ok(count >= this.#toldLast, 'the count of what has come has fallen')
    this.#toldLast = count
    return count
  }

  protected next(): string | undefined {
    const number = this.outgoing.next()
    if (number === undefined) return undefined
    return marked(number % 5 === 0 ? `\0${number}` : `${number}`)
  }
}

export class ClientEnd extends End {
  isOpen = false
  readonly #rules: Rules
  #attempt = 0

  constructor(rules: Rules) {
    super()
    this.#rules = rules
  }

  dial(): Wire {
    const { received } = this.incoming
    this.wire = new Wire(offered([], ++this.#attempt, received, TOKEN).join(', '))
    this.isOpen = false
    return this.wire
  }

  /** It has noticed that the connection is lost, or believes it. */
  letGo(): void {
    if (this.isOpen && this.incoming.owes) this.tell()
    this.wire?.toServer(LET_GO)
    this.wire = undefined
    this.isOpen = false
  }

  tell(): void {
    if (this.isOpen) this.wire?.toServer(ack(this.told()))
  }

  flush(): void {
    if (!this.isOpen) return
    for (let data = this.next(); data !== undefined; data = this.next()) this.wire?.toServer(data)
  }

  gets(wire: Wire, text: string): void {
    if (wire !== this.wire && this.#rules.dropsListeners) return
    assert.notEqual(text, STALE, 'turned back, though it is the newest attempt')
    const frame = readFrame(text)
    if (frame.kind === 'message') {
      if (this.take(frame.value)) this.tell()
    } else if (frame.kind === 'ack') {
      this.confirmed(frame.value)
    } else if (frame.kind === 'welcome') {
      assert.ok(frame.value?.isResumed)
      this.confirmed(frame.value.received)
      this.outgoing.rewind()
      this.isOpen = true
      this.tell()
      this.flush()
    }
  }
}

export class ServerEnd extends End {
  readonly #rules: Rules
  #attempt = 0

  constructor(rules: Rules) {
    super()
    this.#rules = rules
  }

  /** The request of a connection has come. */
  asked(wire: Wire): void {
    wire.hasArrived = true
    const request = readOffer(wire.request).resume
    assert.ok(request)
    const isNewer = request.attempt > this.#attempt
    if (!isNewer && this.#rules.numbersAttempts) {
      wire.toClient(STALE)
      wire.killDown(Infinity)
      return
    }
    this.#attempt = request.attempt
    this.wire?.killDown(Infinity)
    this.wire = wire
    this.confirmed(request.received)
    this.outgoing.rewind()
    const received = this.told()
    wire.toClient(welcome({ token: TOKEN, isResumed: true, received, window: 60_000 }))
  }

  /** It has noticed that the connection is lost, or believes it. */
  suspend(): void {
    this.wire?.killDown(Infinity)
    this.wire = undefined
  }

  /** Hands over a message, if there is one. */
  feed(): void {
    const { wire } = this
    const data = wire && this.next()
    if (data === undefined) return
    wire?.toClient(data)
    if (!this.#rules.confirmsInTheApp) wire?.toClient(pingAfter(data))
  }

  tell(): void {
    if (this.incoming.owes) this.wire?.toClient(ack(this.told()))
  }

  gets(wire: Wire, text: string): void {
    if (wire !== this.wire && this.#rules.ignoresSuperseded) return
    if (text === LET_GO) {
      if (wire === this.wire) this.suspend()
      return
    }
    const frame = readFrame(text)
    if (frame.kind === 'message') {
      if (this.take(frame.value)) this.tell()
    } else if (frame.kind === 'ack') {
      this.confirmed(frame.value)
    }
  }
}

/** A ping of the platform, and what it says. The platform answers with the same. */
const PING = 'ping '

function pingAfter(data: string): string {
  return `${PING}${Number(data.replaceAll('\0', ''))}`
}

/** The platform of the client has got a frame. The app gets it later. */
export function land(wire: Wire): void {
  const frame = wire.down.shift()
  if (frame === undefined) return
  if (frame.startsWith(PING)) wire.toServer(ack(Number(frame.slice(PING.length))))
  else wire.landed.push(frame)
}
