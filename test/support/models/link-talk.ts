// What a peer says on a link by hand, right or wrong, and what has to come of it.
import assert from 'node:assert/strict'
import * as fc from 'fast-check'
import type { LinkPeer } from '../peers/link-peer.js'
import { OPCODE, RawPeer } from '../peers/raw-peer.js'

export type Move =
  | { readonly does: 'server sends' | 'is lost and comes back'; readonly count: number }
  | { readonly does: 'acknowledges'; readonly off: number }
  | { readonly does: 'sends'; readonly text: string | Buffer; readonly inPieces: boolean }
  | { readonly does: 'says'; readonly text: string; readonly inPieces: boolean }
  | { readonly does: 'probes'; readonly times: number }
  | { readonly does: 'waits' }

/** What is no control frame that a client may send. */
export const WRONG = [
  '\0',
  '\0a',
  '\0a-1',
  '\0a0x',
  '\0a9999999999999999',
  '\0p1',
  '\0b1000',
  '\0w{"v":1}',
  '\0w{"v":1,"t":"x","r":1,"n":0,"w":1}',
  '\0w',
] as readonly string[]
/** What a later version may say. */
const UNKNOWN = ['\0z', '\0A5', '\0 ', '\0é', '\x00😀', '\x001', '\0\x01'] as const

const inPieces = fc.boolean()

export const moves: fc.Arbitrary<Move[]> = fc.array(
  fc.oneof(
    {
      weight: 4,
      arbitrary: fc.record({ does: fc.constant('server sends' as const), count: fc.nat(4) }),
    },
    {
      weight: 1,
      arbitrary: fc.record({
        does: fc.constant('is lost and comes back' as const),
        count: fc.nat(9),
      }),
    },
    {
      weight: 4,
      arbitrary: fc.record({
        does: fc.constant('acknowledges' as const),
        off: fc.oneof({ weight: 40, arbitrary: fc.nat(3) }, fc.constantFrom(-1, 1_000)),
      }),
    },
    {
      weight: 6,
      arbitrary: fc.record({
        does: fc.constant('sends' as const),
        text: fc.oneof(
          fc.string(),
          fc.constantFrom('\0', '\0\0', '\0a0', '\0p', 'x'.repeat(9_000)),
          fc.uint8Array({ maxLength: 9 }).map((bytes) => Buffer.from([0, ...bytes])),
        ),
        inPieces,
      }),
    },
    {
      weight: 3,
      arbitrary: fc.record({
        does: fc.constant('says' as const),
        text: fc.oneof(
          { weight: 20, arbitrary: fc.constantFrom<string>(...UNKNOWN) },
          { weight: 1, arbitrary: fc.constantFrom(...WRONG) },
        ),
        inPieces,
      }),
    },
    {
      weight: 2,
      arbitrary: fc.record({
        does: fc.constant('probes' as const),
        times: fc.constantFrom(1, 1, 1, 2, 20),
      }),
    },
    { weight: 2, arbitrary: fc.record({ does: fc.constant('waits' as const) }) },
  ),
  { maxLength: 60, size: 'max' },
)

/** What the test does with the server. */
export interface Stage {
  readonly connect: (received: number) => Promise<LinkPeer>
  readonly send: (text: string) => void
  /** Lets a second and a half pass. */
  readonly wait: () => Promise<void>
}

const CLOSES = {
  protocol: /^close 1002 (impossible-count|malformed-control-frame)$/,
  rate: /^close 1008 rate-limited$/,
} as const

/** One session, and what each side knows of the other one. */
export class Talk {
  /** What the app has to get, as the test notes it. */
  readonly handled: string[] = []
  /** What rule the peer has broken. */
  broken: keyof typeof CLOSES | undefined
  /** Number of messages that were too many. */
  refused = 0
  peer: LinkPeer
  readonly #stage: Stage
  /** How many frames more the peer may send, within `messageRate`. */
  #budget: number
  /** Whether it has acknowledged anything on this connection: the first time is free. */
  #hasAcknowledged = true
  #sent = 0
  #confirmed = 0
  #received = 0
  #untold = 0
  #bytesUntold = 0
  /** Frames that have to come. */
  #expected: string[] = []

  /** @param peer has confirmed its welcome */
  constructor(stage: Stage, peer: LinkPeer, budget = Infinity) {
    this.#stage = stage
    this.peer = peer
    this.#budget = budget
  }

  async do(move: Move): Promise<void> {
    switch (move.does) {
      case 'server sends':
        for (let i = 0; i < move.count; i++) this.#serverSends()
        break
      case 'acknowledges':
        this.#acknowledge(move.off)
        break
      case 'sends':
        this.#send(move.text, move.inPieces)
        break
      case 'says':
        this.#say(move.text, move.inPieces)
        if (this.#spend() && WRONG.includes(move.text)) this.broken = 'protocol'
        break
      case 'probes':
        for (let i = 0; i < move.times; i++) {
          this.peer.send('\0p')
          if (this.#spend()) this.#tell()
        }
        break
      case 'waits':
        await this.#stage.wait()
        if (this.#untold > 0) this.#tell()
        break
      case 'is lost and comes back':
        return this.#comeBack(Math.min(this.#confirmed + move.count, this.#sent))
    }
    await this.#look()
  }

  /** That exactly the right frames have come. */
  async #look(): Promise<void> {
    // The last that the peer gets to know is how many messages have come.
    if (this.broken !== undefined && this.#untold > 0) this.#tell()
    for (const frame of this.#expected) assert.equal(await this.peer.next(), frame)
    this.#expected = []
    if (this.broken !== undefined) {
      assert.match(await this.peer.next(), CLOSES[this.broken])
    } else {
      await this.peer.roundTrip()
      assert.equal(this.peer.untaken, 0, this.peer.frames.at(-1))
    }
  }

  #serverSends(): void {
    this.#stage.send(`m${++this.#sent}`)
    this.#expected.push(`m${this.#sent}`)
  }

  /** @param off from what is confirmed; up to 3 more than that are possible as far as they were sent */
  #acknowledge(off: number): void {
    const possible = Math.min(off, this.#sent - this.#confirmed)
    const count = this.#confirmed + (off === 1_000 ? off : possible)
    if (count < 0) return
    this.#say(`\0a${count}`, false)
    const isFree = count !== this.#confirmed || !this.#hasAcknowledged
    this.#hasAcknowledged = true
    if (count < this.#confirmed || count > this.#sent) this.broken = 'protocol'
    else if (isFree || this.#spend()) this.#confirmed = count
  }

  #send(message: string | Buffer, inPieces: boolean): void {
    const isText = typeof message === 'string'
    this.#say(isText && message.startsWith('\0') ? `\0${message}` : message, inPieces)
    if (!this.#spend()) {
      this.refused++
      return
    }
    this.handled.push(`message ${message.toString()}`)
    this.#received++
    this.#untold++
    this.#bytesUntold += Buffer.byteLength(message)
    if (this.#untold >= 32 || this.#bytesUntold >= 16_384) this.#tell()
  }

  /** Sends it as it is; in pieces of a byte it is the same. */
  #say(message: string | Buffer, inPieces: boolean): void {
    const opcode = typeof message === 'string' ? OPCODE.text : OPCODE.binary
    const data = Buffer.from(message as string)
    if (!inPieces || data.length > 100) {
      this.peer.raw.write(RawPeer.frame(opcode, data))
      return
    }
    this.peer.raw.write(RawPeer.frame(opcode, '', false))
    for (const byte of data) {
      this.peer.raw.write(RawPeer.frame(OPCODE.continuation, Buffer.from([byte]), false))
    }
    this.peer.raw.write(RawPeer.frame(OPCODE.continuation))
  }

  /** @returns whether it is within the rate */
  #spend(): boolean {
    if (--this.#budget < 0) this.broken = 'rate'
    return this.broken === undefined
  }

  #tell(): void {
    this.#expected.push(`a${this.#received}`)
    this.#untold = 0
    this.#bytesUntold = 0
  }

  async #comeBack(received: number): Promise<void> {
    this.peer.cut()
    this.peer = await this.#stage.connect(received)
    this.#hasAcknowledged = false
    const { isResumed, received: told } = this.peer.welcome
    assert.deepEqual([isResumed, told], [true, this.#received])
    this.#untold = 0
    this.#bytesUntold = 0
    this.#confirmed = received
    for (let number = received + 1; number <= this.#sent; number++)
      this.#expected.push(`m${number}`)
    await this.#look()
  }
}
