// Our client against a server that shakes hands as it should, and then says anything: over real sockets, by ws.
import assert from 'node:assert/strict'
import { test } from 'node:test'
import * as fc from 'fast-check'
import { WebSocket } from 'ws'
import { Client } from '../../lib/client/client.js'
import { isRetryable, type Message } from '../../lib/client/index.js'
import { fuzz } from '../support/models/fuzz.js'
import { type ClientPlay, clientPlays } from '../support/models/client-plays.js'
import { observe, type Told } from '../support/peers/lifecycle-client.js'
import { GOOD, HostileServer } from '../support/servers/hostile-server.js'
import { RealWorld } from '../support/time/real-world.js'
import { until } from '../support/time/timed.js'
import { watchUncaught } from '../support/time/uncaught.js'

/** A message as a socket of the client had it. */
interface Came {
  readonly data: Message
  readonly isNewest: boolean
  /** Whether the client was open, and so has to tell it. */
  readonly isDue: boolean
  /** How often the app was told. */
  times: number
}

/** A client, all its sockets, and what they had. */
class Life {
  readonly world = new RealWorld()
  readonly sockets: WebSocket[] = []
  readonly came: Came[] = []
  readonly client: Client
  readonly told: readonly Told[]
  readonly #sent: string[] = []
  /** What was told, and had not come so. */
  readonly #wrong: unknown[] = []
  readonly #play: ClientPlay

  constructor(url: string, play: ClientPlay) {
    this.#play = play
    const link = this.#isLinked
    const resume = play.kind === 'session'
    const note = (socket: WebSocket): void => this.#watch(socket)
    const Watched = class extends WebSocket {
      constructor(address: string, protocols: string[]) {
        super(address, protocols)
        note(this)
      }
    }
    this.client = new Client(url, { link, resume, WebSocket: Watched }, this.world)
    const { told } = observe(this.client)
    this.told = told
    // After the listeners that note it.
    for (const type of ['open', 'message', 'lost', 'close'] as const) {
      this.client.addEventListener(type, () => this.#wasTold())
    }
    this.#send()
  }

  /** Whether it is over, or has come to the good server. */
  get isSettled(): boolean {
    return this.client.state === 'closed' || this.told.at(-1)?.['data'] === GOOD
  }

  get #isLinked(): boolean {
    return this.#play.kind !== 'bare'
  }

  /** Before the client listens: so each message is here first. */
  #watch(socket: WebSocket): void {
    this.sockets.push(socket)
    socket.addEventListener('message', ({ data }) => {
      const isNewest = this.sockets.at(-1) === socket
      const isDue = isNewest && this.client.state === 'open' && this.#isOfApp(data as Message)
      this.came.push({ data: data as Message, isNewest, isDue, times: 0 })
    })
  }

  #isOfApp(data: Message): boolean {
    return !this.#isLinked || typeof data !== 'string' || data[0] !== '\0' || data[1] === '\0'
  }

  #wasTold(): void {
    const last = this.told.at(-1)
    if (last?.type === 'message') {
      const came = this.came.at(-1)
      const data = came?.data
      const isMarked = this.#isLinked && typeof data === 'string' && data[0] === '\0'
      const isRight = came?.isDue === true && last['data'] === (isMarked ? data.slice(1) : data)
      // Thrown here it would be nobody's.
      if (!isRight) this.#wrong.push(last['data'])
      if (came !== undefined) came.times++
    }
    for (const { at, does } of this.#play.steps) {
      if (at !== this.told.length) continue
      if (does === 'send') this.#send()
      else this.client[does]()
    }
  }

  #send(): void {
    const text = `up ${this.#sent.length}`
    this.#sent.push(text)
    this.client.send(text)
  }

  /** All that has to be true of what was told, whatever has come. */
  check(): void {
    assert.deepEqual(this.#wrong, [])
    for (const { data, isDue, times } of this.came) {
      assert.equal(times, Number(isDue), `${JSON.stringify(data)} was told ${times} times`)
    }
    const undelivered: unknown[] = []
    let isOpen = false
    for (const [index, { type, code, ...rest }] of this.told.entries()) {
      if (type === 'open') assert.ok(!isOpen, 'open twice')
      if (type === 'message') assert.ok(isOpen, 'a message while it was not open')
      if (type === 'open') isOpen = true
      if (type === 'lost') isOpen = false
      if (type === 'close') assert.equal(index, this.told.length - 1, 'something after the end')
      const isByUs = this.#play.steps.some(({ does }) => does === 'close') || code === 1000
      if (type === 'lost') assert.ok(isRetryable(Number(code)), `came back after ${String(code)}`)
      if (type === 'close')
        assert.ok(isByUs || !isRetryable(Number(code)), `ended by ${String(code)}`)
      if (Array.isArray(rest['undelivered']))
        undelivered.push(...(rest['undelivered'] as unknown[]))
    }
    assert.equal(new Set(undelivered).size, undelivered.length, 'undelivered twice')
    assert.ok(undelivered.every((each) => this.#sent.includes(String(each))))
  }

  /** Nothing of it is left, but what ws waits for. */
  async end(server: HostileServer): Promise<void> {
    this.client.close()
    assert.equal(this.client.state, 'closed')
    assert.equal(this.world.pending, 0)
    for (const socket of this.sockets) {
      const counts = ['open', 'message', 'close'].map((type) => socket.listenerCount(type))
      assert.deepEqual(counts, [0, 1, 0], 'listeners that are left: ours is the one')
    }
    const { length } = this.told
    server.cut()
    await until(() => this.sockets.every(({ readyState }) => readyState === WebSocket.CLOSED))
    await until(() => server.size === 0)
    assert.equal(this.told.length, length, 'it has told something after its end')
    assert.equal(this.told.filter(({ type }) => type === 'close').length, 1)
  }
}

test('a client takes anything from a server: it goes on or ends, and tells each message once', async (t) => {
  const errors = watchUncaught(t)
  const server = await HostileServer.listen()
  t.after(() => server.close())
  await fuzz(
    fc.asyncProperty(clientPlays, async (play) => {
      server.play(play.acts)
      const life = new Life(server.url, play)
      await until(() => life.isSettled)
      await life.end(server)
      life.check()
      if (errors.length > 0) throw errors[0]
    }),
    80,
  )
})
