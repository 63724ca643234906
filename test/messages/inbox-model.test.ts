// Random schedules of arrivals, handling, failures, pauses and ends, over real sockets.
import assert from 'node:assert/strict'
import type { Socket } from 'node:net'
import { test, type TestContext } from 'node:test'
import * as fc from 'fast-check'
import type { LifecycleSocket, WebsocketLifecycle } from '../../lib/index.js'
import { within } from '../support/time/bound.js'
import { FakeClock, turns } from '../support/time/fake-clock.js'
import { gate } from '../support/time/gate.js'
import { until } from '../support/time/timed.js'
import { runsOr, SEED } from '../support/models/runs.js'
import { OPCODE, RawPeer } from '../support/peers/raw-peer.js'
import { portOf, serve } from '../support/servers/server.js'

const { closeFrame, frame } = RawPeer

/** Who handles the messages, once the route's handler goes on. */
const READERS = ['onMessage', 'messages()', 'a late listener'] as const
type ReaderKind = (typeof READERS)[number]

interface Policy {
  readonly maxMessages: number
  readonly maxBytes: number
  readonly concurrency: number
}

const POLICIES: readonly Policy[] = [
  { maxMessages: 1, maxBytes: 10_000, concurrency: 1 },
  { maxMessages: 1_000, maxBytes: 1, concurrency: 1 },
  { maxMessages: 3, maxBytes: 500, concurrency: 2 },
  { maxMessages: 8, maxBytes: 1_000, concurrency: 1 },
  { maxMessages: 8, maxBytes: 10_000, concurrency: 8 },
]

const ENDS = ['close frame', 'FIN', 'RST', 'close()', 'terminate()'] as const
type End = (typeof ENDS)[number]

type Command =
  /** The peer sends messages of these sizes in one packet. */
  | { readonly does: 'arrive'; readonly sizes: readonly number[] }
  /** One of those that are being handled is handled, or fails. */
  | { readonly does: 'handle' | 'fail'; readonly which: number }
  /** What the route's handler waits for has come. */
  | { readonly does: 'go' }
  | { readonly does: 'pause' | 'resume' }
  | { readonly does: 'end'; readonly how: End }

const arrive = fc.record({
  does: fc.constant('arrive' as const),
  sizes: fc.array(fc.integer({ min: 4, max: 300 }), { minLength: 1, maxLength: 6 }),
})
const handle = fc.record({ does: fc.constant('handle' as const), which: fc.nat(7) })

const commands: fc.Arbitrary<Command> = fc.oneof(
  { weight: 10, arbitrary: arrive },
  { weight: 12, arbitrary: handle },
  { weight: 1, arbitrary: fc.record({ does: fc.constant('fail' as const), which: fc.nat(7) }) },
  { weight: 2, arbitrary: fc.constant<Command>({ does: 'go' }) },
  { weight: 2, arbitrary: fc.constantFrom<Command>({ does: 'pause' }, { does: 'resume' }) },
  {
    weight: 1,
    arbitrary: fc.constantFrom(...ENDS).map((how): Command => ({ does: 'end', how })),
  },
)

/** One connection and what is known of it: what was sent, has arrived, and was handled. */
class Run {
  /** What must not happen; noted, since a throw on the way of a message would be a handler-error. */
  readonly violations: string[] = []
  readonly begun: number[] = []
  arrived = 0
  sent = 0
  mostAtOnce = 0
  hasFailed = false
  hasGone = false
  /** Whether the app closed before its handler had settled: what waits for onMessage is dropped. */
  hasRefused = false
  /** Whether a loop was left by a throw: there is nobody who takes what waits. */
  hasLeftLoop = false
  ended: End | undefined
  /** How many had been begun when the app itself ended it: no more will be, unless by a plain listener. */
  begunAtMost = Infinity
  readonly #policy: Policy
  readonly #kind: ReaderKind
  readonly #going = gate()
  readonly #opened = gate()
  readonly #inFlight = new Map<number, { resolve: () => void; reject: (error: Error) => void }>()
  #socket: LifecycleSocket | undefined
  #heldMessages = 0
  #heldBytes = 0
  #isFull = false
  #isPausedByApp = false

  constructor(policy: Policy, kind: ReaderKind) {
    this.#policy = policy
    this.#kind = kind
  }

  get socket(): LifecycleSocket {
    assert.ok(this.#socket)
    return this.#socket
  }

  get isOpen(): boolean {
    return this.socket.readyState === this.socket.OPEN && !this.hasFailed
  }

  get inFlight(): number {
    return this.#inFlight.size
  }

  async connect(port: number, path: string): Promise<RawPeer> {
    const peer = await RawPeer.open(port, path)
    await this.#opened.opened
    return peer
  }

  readonly handler = async (socket: LifecycleSocket): Promise<void> => {
    this.#socket = socket
    this.#watch(socket)
    this.#opened.open()
    await this.#going.opened
    if (this.#kind === 'a late listener') {
      socket.on('message', (data: Buffer) => {
        this.#begin(data.toString())
        this.#weigh(-1, -data.length)
      })
    } else if (this.#kind === 'messages()') {
      for await (const message of socket.messages()) await this.onMessage(String(message))
    }
  }

  readonly onMessage = async (text: string): Promise<void> => {
    const index = this.#begin(text)
    const handled = new Promise<void>((resolve, reject) => {
      this.#inFlight.set(index, { resolve, reject })
    })
    this.mostAtOnce = Math.max(this.mostAtOnce, this.#inFlight.size)
    try {
      await handled
    } finally {
      this.#inFlight.delete(index)
      this.#weigh(-1, -text.length)
    }
  }

  async do(command: Command, peer: RawPeer): Promise<void> {
    switch (command.does) {
      case 'arrive':
        // A peer that has ended sends no more.
        if (this.ended === undefined) peer.send(...command.sizes.map((size) => this.#make(size)))
        break
      case 'handle':
        this.#pick(command.which)?.resolve()
        break
      case 'fail':
        this.#fail(command.which)
        break
      case 'go':
        this.#go()
        break
      case 'pause':
        this.#isPausedByApp = true
        this.socket.pause()
        break
      case 'resume':
        this.resume()
        break
      case 'end':
        if (this.ended === undefined) this.#end(command.how, peer)
    }
    await turns(2)
    this.#compare()
  }

  resume(): void {
    this.#isPausedByApp = false
    this.socket.resume()
  }

  /** Nothing holds the messages up any more: all that can be handled is. */
  async finish(isOver: () => boolean): Promise<void> {
    this.resume()
    this.#go()
    await until(() => {
      for (const { resolve } of this.#inFlight.values()) resolve()
      return isOver()
    })
  }

  #go(): void {
    this.hasGone = true
    this.#going.open()
  }

  #end(how: End, peer: RawPeer): void {
    this.ended = how
    const isOurs = how === 'close()' || how === 'terminate()'
    this.hasRefused = isOurs && this.isOpen && !this.hasGone && this.#kind === 'onMessage'
    if (isOurs && this.isOpen && this.#kind !== 'a late listener') {
      this.begunAtMost = this.begun.length
    }
    if (how === 'close frame') peer.send(closeFrame(1000))
    else if (how === 'FIN') peer.finish()
    else if (how === 'RST') peer.reset()
    else if (how === 'terminate()') this.socket.terminate()
    else {
      this.socket.close(1000)
      void peer.nextOf(OPCODE.close).then(() => peer.send(closeFrame(1000)))
    }
  }

  #fail(which: number): void {
    const picked = this.#pick(which)
    if (picked === undefined) return
    this.hasFailed ||= this.isOpen
    this.hasLeftLoop ||= this.#kind === 'messages()'
    picked.reject(new Error('of the schedule'))
  }

  #pick(which: number): { resolve: () => void; reject: (error: Error) => void } | undefined {
    return [...this.#inFlight.values()][which % Math.max(1, this.#inFlight.size)]
  }

  #make(size: number): Buffer {
    return frame(OPCODE.text, `${this.sent++}`.padEnd(size))
  }

  #begin(text: string): number {
    if (this.hasFailed) this.violations.push(`${text} was handled after a handler-error`)
    this.begun.push(Number(text))
    return Number(text)
  }

  /** Sees what ws reads and what it makes of it, just before the connection does. */
  #watch(socket: LifecycleSocket): void {
    const raw = Reflect.get(socket, '_socket') as Socket
    raw.prependListener('data', () => {
      if (!this.isOpen) return
      if (this.#isFull) this.violations.push('read while full')
      if (this.#isPausedByApp) this.violations.push('read while the app had paused')
    })
    const emit = socket.emit.bind(socket) as (...args: unknown[]) => boolean
    Object.assign(socket, {
      emit: (...args: unknown[]): boolean => {
        if (args[0] === 'message') {
          this.arrived++
          this.#weigh(1, (args[1] as Buffer).length)
        }
        return emit(...args)
      },
    })
  }

  /** Full at one of its bounds, until half empty by both. */
  #weigh(messages: number, bytes: number): void {
    this.#heldMessages += messages
    this.#heldBytes += bytes
    const { maxMessages, maxBytes } = this.#policy
    const share = Math.max(this.#heldMessages / maxMessages, this.#heldBytes / maxBytes)
    if (share >= 1) this.#isFull = true
    else if (share <= 0.5) this.#isFull = false
  }

  /** Between two turns of the loop what is to be paused is, and nothing else. */
  #compare(): void {
    if (!this.isOpen) return
    const isPaused = this.#isPausedByApp || this.#isFull
    if (this.socket.isPaused !== isPaused) {
      this.violations.push(`paused: ${this.socket.isPaused}, expected: ${isPaused}`)
    }
  }
}

interface World {
  readonly port: number
  readonly lifecycle: WebsocketLifecycle
  current: Run | undefined
}

function pathOf(kind: ReaderKind, policy: Policy): string {
  return `/${READERS.indexOf(kind)}/${POLICIES.indexOf(policy)}`
}

async function serveAll(t: TestContext): Promise<World> {
  const world: { current: Run | undefined } = { current: undefined }
  const app = await serve(t, {
    clock: new FakeClock(),
    routes: (instance) => {
      for (const kind of READERS) {
        for (const inbox of POLICIES) {
          const options = { websocket: true as const, inbox }
          const handler = (socket: LifecycleSocket): unknown => world.current?.handler(socket)
          const onMessage = (_socket: unknown, _request: unknown, message: unknown): unknown =>
            world.current?.onMessage(String(message))
          const path = pathOf(kind, inbox)
          instance.get(path, kind === 'onMessage' ? { ...options, onMessage } : options, handler)
        }
      }
    },
  })
  return Object.assign(world, { port: portOf(app), lifecycle: app.websocketLifecycle })
}

async function play(
  world: World,
  kind: ReaderKind,
  policy: Policy,
  schedule: readonly Command[],
): Promise<void> {
  const droppedBefore = world.lifecycle.stats().dropped
  const run = new Run(policy, kind)
  world.current = run
  const peer = await run.connect(world.port, pathOf(kind, policy))
  for (const command of schedule) await run.do(command, peer)

  let isOver = false
  const closed = run.socket.closed.then((close) => {
    isOver = true
    return close
  })
  if (run.ended === undefined) {
    // Without an end all that was sent is handled, unless an error has ended it.
    await run.finish(() => run.hasFailed || (run.begun.length === run.sent && run.inFlight === 0))
    if (!run.hasFailed) assert.equal(run.socket.isPaused, false)
    peer.send(closeFrame(1000))
  }
  if (run.hasFailed) peer.send(closeFrame(1011))
  await run.finish(() => isOver)
  const close = await within(closed, 'the end')
  peer.destroy()

  const dropped = world.lifecycle.stats().dropped - droppedBefore
  assert.deepEqual(run.violations, [])
  assert.equal(close.cause === 'handler-error', run.hasFailed)
  // In order, none lost, none doubled.
  assert.deepEqual(
    run.begun,
    run.begun.map((_, i) => i),
  )
  assert.equal(close.messagesReceived, run.arrived)
  assert.equal(run.begun.length + dropped, run.arrived)
  assert.ok(run.mostAtOnce <= (kind === 'onMessage' ? policy.concurrency : 1))
  if (run.hasFailed) return
  if (run.hasRefused) assert.deepEqual(run.begun, [])
  else if (run.begunAtMost < Infinity) assert.equal(run.begun.length, run.begunAtMost)
  else if (run.ended !== 'close()' && !run.hasLeftLoop) assert.equal(dropped, 0)
  // A reset and terminate() lose what was not read.
  if (run.ended !== 'RST' && run.ended !== 'terminate()') assert.equal(run.arrived, run.sent)
}

for (const kind of READERS) {
  test(`for ${kind} order and bounds are kept, nothing is lost or doubled, whatever comes`, async (t) => {
    const world = await serveAll(t)
    const schedules = fc.array(commands, { minLength: 5, maxLength: 60 })
    await fc.assert(
      fc.asyncProperty(fc.constantFrom(...POLICIES), schedules, (policy, schedule) =>
        play(world, kind, policy, schedule),
      ),
      { numRuns: runsOr(150, 0.5), seed: SEED },
    )
  })
}
