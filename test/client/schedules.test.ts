// Ten thousand random schedules of all that can happen to a client. What must hold in each of them:
// C1 Between two `open` there is one `lost` of an open connection; `close` is last, and once; then nothing is left.
// C2 Never two sockets with listeners; each that is let go of is closed; no wait is longer than its bound.
import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { FakeWebSocket } from '../support/peers/fake-websocket.js'
import { clientIn, type Observed } from '../support/peers/lifecycle-client.js'
import { randomFrom } from '../support/models/random.js'
import { ClientWorld, settled } from '../support/time/client-world.js'

const SCHEDULES = 10_000
const STEPS = 20
const CODES = [1000, 1001, 1005, 1006, 1008, 1011, 1012, 3000, 4991]
const FRAMES = [
  'm',
  '\0\0m',
  '\0p',
  '\0z',
  '\0',
  '\0a',
  '\0a0',
  '\0a1',
  '\0a7',
  '\0b900',
  '\0w{"v":1}',
]

class Schedule {
  readonly world = new ClientWorld()
  readonly seen: Observed
  readonly #random: () => number
  readonly #stop = new AbortController()
  readonly #bounds = { min: 400, max: 9_000 }

  constructor(seed: number) {
    this.#random = randomFrom(seed)
    this.world.random = this.#random
    const isPatient = this.#random() < 0.5
    this.seen = clientIn(
      this.world,
      {
        resume: this.#random() < 0.7,
        backoff: this.#bounds,
        signal: this.#stop.signal,
        ...(isPatient && { shouldRetry: () => true }),
      },
      () => this.#url(),
    )
  }

  async step(): Promise<void> {
    const steps = [
      () => this.#socket?.open(),
      () => this.#socket?.welcome(this.#welcome()),
      () => this.#socket?.welcome(this.#welcome()),
      () => this.#socket?.readyState === 1 && this.#socket.say(this.#one(FRAMES)),
      () => this.#socket?.readyState === 1 && this.#socket.say(this.#one(FRAMES)),
      () => this.#socket?.end(this.#one(CODES)),
      () => this.#socket?.fail(new Error('reset')),
      () => this.seen.client.send('m'),
      () => this.seen.client.reconnect(),
      () => this.world.wake(),
      () => this.world.sleep(this.#random() * 100_000),
      () => this.world.advance(this.#random() * 1_000),
      () => this.world.advance(this.#random() * 50_000),
      () => this.#random() < 0.1 && this.seen.client.close(),
      () => this.#random() < 0.1 && this.#stop.abort(),
    ]
    await Promise.resolve(this.#one(steps)())
    await settled()
    const { sockets } = this.world
    assert.ok(sockets.filter((socket) => socket.heard > 0).length <= 1)
    if (this.seen.client.state === 'closed') assert.equal(this.world.pending, 0)
  }

  /** All that has been told, and all sockets. */
  check(): void {
    const { client, told } = this.seen
    const heard = this.world.sockets.filter((socket) => socket.heard > 0)
    assert.ok(heard.length <= 1)
    for (const socket of this.world.sockets) {
      if (heard.includes(socket)) continue
      assert.equal(socket.closes.length, 1)
      assert.equal(socket.closes[0]?.heard, 0)
    }
    let isOpen = false
    for (const { type, attempts, retryIn } of told) {
      if (type === 'open') assert.equal(isOpen, false)
      if (type === 'lost') {
        assert.equal(attempts === 0, isOpen)
        assert.ok(Number(retryIn) < this.#bounds.max)
      }
      if (type === 'message') assert.equal(isOpen, true)
      else isOpen = type === 'open'
    }
    assert.equal(client.state === 'open', isOpen)
    const closed = told.findIndex(({ type }) => type === 'close')
    assert.equal(closed, client.state === 'closed' ? told.length - 1 : -1)
    if (client.state === 'closed') {
      assert.equal(heard.length, 0)
      assert.equal(this.world.pending, 0)
    } else assert.ok(this.world.pending > 0)
  }

  get #socket(): FakeWebSocket | undefined {
    const last = this.world.sockets.at(-1)
    return last && last.readyState < 3 ? last : undefined
  }

  #welcome(): { isResumed: boolean; received: number } | undefined {
    const kind = this.#random()
    if (kind < 0.2) return undefined
    const isResumed = kind < 0.5
    return { isResumed, received: isResumed ? Math.floor(this.#random() * 3) : 0 }
  }

  #url(): string | Promise<string> {
    const kind = this.#random()
    if (kind < 0.1) return Promise.reject(new Error('no ticket'))
    return kind < 0.2 ? new Promise(() => {}) : 'wss://test/'
  }

  #one<Value>(values: readonly Value[]): Value {
    return values[Math.floor(this.#random() * values.length)] as Value
  }
}

test(`${SCHEDULES} random schedules`, async () => {
  const ends = new Map<string, number>()
  for (let seed = 0; seed < SCHEDULES; seed++) {
    const schedule = new Schedule(seed)
    try {
      for (let i = 0; i < STEPS; i++) await schedule.step()
      schedule.check()
      const { client } = schedule.seen
      ends.set(client.state, (ends.get(client.state) ?? 0) + 1)
      client.close()
      schedule.check()
    } catch (error) {
      throw new Error(`Expected all to hold with seed ${seed}`, { cause: error })
    }
  }
  // The schedules are worth something: many get somewhere.
  for (const state of ['open', 'waiting', 'connecting', 'closed']) {
    assert.ok((ends.get(state) ?? 0) > 200, `${state}: ${ends.get(state)}`)
  }
})
