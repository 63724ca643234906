import { once } from 'node:events'
import { type AddressInfo, connect, createServer, type Server, type Socket } from 'node:net'
import { reset } from '../../../lib/platform/reset.js'
import { randomFrom } from '../models/random.js'

/** What can happen to a line. */
export const FAULTS = [
  /** Both sides get a RST. */
  'reset',
  /** Both sides get a FIN. */
  'finish',
  /** Half-open: one side gets a RST, and the other one gets to know nothing. */
  'reset client',
  'reset server',
  /** A black hole: the line stays, and nothing comes out of it any more, both ways or one. */
  'swallow',
  'swallow up',
  'swallow down',
] as const

export type Fault = (typeof FAULTS)[number]
/** Up is to the server. */
export type Direction = 'up' | 'down'

/** How slow a line is: so many bytes in a turn of the loop, and each packet so many turns late. */
export interface Pace {
  readonly bytes: number
  readonly turns: number
}

/** What a line is like, and what happens to it when so many bytes have passed in one direction. */
export interface Plan {
  readonly fault?: Fault
  readonly direction?: Direction
  readonly after?: number
  readonly pace?: Pace | undefined
}

/** A test, or whatever else ends. */
export interface Cleanup {
  after(callback: () => void): void
}

/** How many bytes wait in a slow line before its source has to stop. */
const MOST_QUEUED = 262_144

/** One direction of a line. */
class Way {
  /** How many bytes have passed. */
  passed = 0
  #left = Infinity
  #fault: (() => void) | undefined
  #isSwallowed = false
  #pace: Pace | undefined
  #queue: Buffer[] = []
  #queued = 0
  #isPumping = false
  readonly #from: Socket
  readonly #to: Socket

  constructor(from: Socket, to: Socket) {
    this.#from = from
    this.#to = to
    from.on('data', (data) => this.#take(data))
    from.on('end', () => this.#finish())
    to.on('drain', () => from.resume())
  }

  set pace(pace: Pace | undefined) {
    this.#pace = pace
  }

  /** When so many more bytes have passed, and not one more, something happens. */
  breakAfter(bytes: number, fault: () => void): void {
    this.#left = bytes
    this.#fault = fault
  }

  swallow(): void {
    this.#isSwallowed = true
    this.#queue = []
    this.#queued = 0
    this.#fault = undefined
    this.#from.resume()
  }

  #take(data: Buffer): void {
    if (this.#isSwallowed) return
    if (this.#pace === undefined && this.#queue.length === 0) {
      this.#pass(data)
      return
    }
    this.#queue.push(data)
    this.#queued += data.length
    if (this.#queued > MOST_QUEUED) this.#from.pause()
    this.#pump()
  }

  #pump(): void {
    if (this.#isPumping) return
    this.#isPumping = true
    let turns = this.#pace?.turns ?? 0
    const turn = (): void => {
      const [first] = this.#queue
      this.#isPumping = first !== undefined
      if (first === undefined) return
      if (turns-- <= 0) {
        const bytes = Math.min(first.length, this.#pace?.bytes ?? Infinity)
        if (bytes === first.length) {
          this.#queue.shift()
          turns = this.#pace?.turns ?? 0
        } else this.#queue[0] = first.subarray(bytes)
        this.#queued -= bytes
        this.#pass(first.subarray(0, bytes))
      }
      if (this.#queued <= MOST_QUEUED && !this.#to.writableNeedDrain) this.#from.resume()
      setImmediate(turn)
    }
    setImmediate(turn)
  }

  #pass(data: Buffer): void {
    if (this.#isSwallowed) return
    const fault = this.#fault
    const breaks = fault !== undefined && data.length >= this.#left
    const passing = breaks ? data.subarray(0, this.#left) : data
    this.#left -= passing.length
    this.passed += passing.length
    if (passing.length > 0 && !this.#to.write(passing)) this.#from.pause()
    if (!breaks) return
    this.#left = Infinity
    this.#fault = undefined
    fault()
    // The fault may be in the other direction.
    this.#pass(data.subarray(passing.length))
  }

  /** A FIN is passed on, after what waits. */
  #finish(): void {
    if (this.#isSwallowed) this.#from.end()
    else if (this.#isPumping) setImmediate(() => this.#finish())
    else this.#to.end()
  }
}

/** A TCP connection from a client to the server, in two halves. */
export class ChaosLine {
  /** The half to the client, and the half to the server. */
  readonly client: Socket
  readonly server: Socket
  readonly ways: { readonly up: Way; readonly down: Way }
  /** What has happened to it. */
  fault: Fault | undefined
  readonly #onFault: (fault: Fault) => void

  constructor(client: Socket, server: Socket, onFault: (fault: Fault) => void) {
    this.client = client
    this.server = server
    this.#onFault = onFault
    this.ways = { up: new Way(client, server), down: new Way(server, client) }
    for (const [half, other] of [
      [client, server],
      [server, client],
    ] as const) {
      half.setNoDelay(true)
      half.on('error', () => {})
      // Also of a half-open line: who has been left in the dark may go by itself.
      half.on('close', (hasFailed) => {
        if (this.fault !== undefined) return
        if (hasFailed) reset(other)
        else other.end()
      })
    }
  }

  get isClosed(): boolean {
    return this.client.destroyed && this.server.destroyed
  }

  /** Makes it slow, and orders what will happen to it. */
  follow({ fault, direction = 'down', after = 0, pace }: Plan): void {
    this.ways.up.pace = pace
    this.ways.down.pace = pace
    if (fault !== undefined) this.ways[direction].breakAfter(after, () => this.suffer(fault))
  }

  /** Something happens to it, now. */
  suffer(fault: Fault): void {
    if (this.isClosed) return
    this.fault = fault
    this.#onFault(fault)
    const { up, down } = this.ways
    if (fault !== 'swallow down') up.swallow()
    if (fault !== 'swallow up') down.swallow()
    if (fault === 'finish') for (const half of [this.client, this.server]) half.end()
    if (fault === 'reset' || fault === 'reset client') reset(this.client)
    if (fault === 'reset' || fault === 'reset server') reset(this.server)
  }
}

/**
 * A line to a server that breaks as lines break in the wild. Whoever connects to its port talks to that
 * server, until something happens: what a plan says, or what a test orders.
 */
export class ChaosProxy {
  /** How often each fault has happened. */
  readonly faults: Map<Fault, number> = new Map()
  /** Those that are not closed on both sides. */
  readonly lines: Set<ChaosLine> = new Set()
  readonly #server: Server
  #plan: (() => Plan) | undefined

  private constructor(server: Server) {
    this.#server = server
  }

  /** @param plan asked for each line; without one nothing happens by itself */
  static async to(t: Cleanup, port: number, plan?: () => Plan): Promise<ChaosProxy> {
    const server = createServer({ allowHalfOpen: true }, (client) => proxy.#join(client, port))
    const proxy = new ChaosProxy(server)
    proxy.#plan = plan
    t.after(() => proxy.close())
    server.listen(0, '127.0.0.1')
    await once(server, 'listening')
    return proxy
  }

  get port(): number {
    return (this.#server.address() as AddressInfo).port
  }

  /** Number of faults in all. */
  get total(): number {
    return [...this.faults.values()].reduce((sum, count) => sum + count, 0)
  }

  /** The line that was opened last. */
  get last(): ChaosLine {
    const last = [...this.lines].at(-1)
    if (last === undefined) throw new Error('Expected an open line')
    return last
  }

  /** From now on nothing happens by itself, and lines are fast. Those in which bytes get lost end. */
  calm(): void {
    this.#plan = undefined
    for (const line of this.lines) {
      line.follow({})
      for (const way of Object.values(line.ways)) way.breakAfter(Infinity, () => {})
      if (line.fault !== undefined) line.suffer('reset')
    }
  }

  /** Whoever is connected is cut off. */
  close(): void {
    this.#server.close()
    for (const { client, server } of this.lines) for (const half of [client, server]) half.destroy()
  }

  #join(client: Socket, port: number): void {
    const server = connect({ port, host: '127.0.0.1', allowHalfOpen: true })
    const line = new ChaosLine(client, server, (fault) => {
      this.faults.set(fault, (this.faults.get(fault) ?? 0) + 1)
    })
    this.lines.add(line)
    for (const half of [client, server]) {
      half.on('close', () => {
        if (line.isClosed) this.lines.delete(line)
      })
    }
    line.follow(this.#plan?.() ?? {})
  }
}

/** How often each fault is in a plan: who has lost a line and is not told needs time to find out. */
const WEIGHTS: Readonly<Record<Fault, number>> = {
  reset: 4,
  finish: 3,
  'reset client': 3,
  'reset server': 1,
  swallow: 1,
  'swallow up': 1,
  'swallow down': 1,
}
const WEIGHTED = FAULTS.flatMap((fault) => Array<Fault>(WEIGHTS[fault]).fill(fault))

/** Plans that a seed determines. Some lines break in the handshake, most later, and some are slow. */
export function plansOf(seed: number): () => Plan {
  const random = randomFrom(seed)
  const below = (count: number): number => Math.floor(random() * count)
  return () => ({
    fault: WEIGHTED[below(WEIGHTED.length)] as Fault,
    direction: random() < 0.5 ? 'up' : 'down',
    // As many lines break within 700 to 7,000 bytes as within 7,000 to 70,000.
    after: random() < 0.2 ? 1 + below(700) : Math.floor(700 * 10 ** (random() * 2.5)),
    pace: random() < 0.2 ? { bytes: 50 + below(5_000), turns: below(10) } : undefined,
  })
}
