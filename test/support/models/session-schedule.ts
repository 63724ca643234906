import assert from 'node:assert/strict'
import { randomFrom } from './random.js'
import { ClientEnd, land, type Rules, ServerEnd, type Wire } from './session-model.js'

/** How often something happens, beside the others: for each schedule another number. */
const WEIGHTS = {
  'client sends': 6,
  'client tells': 2,
  'client dials': 8,
  'client lets go': 4,
  'server sends': 6,
  'server hands over': 8,
  'server tells': 2,
  'server suspends': 1,
  'request arrives': 6,
  'frame gets up': 12,
  'frame lands': 12,
  'app gets frame': 14,
  'line dies': 4,
} as const

type Step = keyof typeof WEIGHTS

const STEPS = Object.keys(WEIGHTS) as readonly Step[]
/** Without chaos. */
const CALM: readonly Step[] = STEPS.filter(
  (step) => !['line dies', 'client lets go', 'server suspends'].includes(step),
)
/** What happens until all has arrived. */
const QUIET: readonly Step[] = CALM.filter((step) => !step.endsWith('sends'))

/** What happens at random between two ends, until chaos is over and all has arrived. A seed determines it. */
export class Schedule {
  /** Number of connections. */
  connections = 0
  readonly #client: ClientEnd
  readonly #server: ServerEnd
  readonly #random: () => number
  /** Connections of which something is on its way. */
  #wires: Wire[] = []
  /** What happens during the chaos, each step as often as its weight says. */
  readonly #steps: readonly Step[]

  constructor(rules: Rules, seed: number) {
    this.#client = new ClientEnd(rules)
    this.#server = new ServerEnd(rules)
    this.#random = randomFrom(seed)
    this.#steps = STEPS.flatMap((step) => {
      const times = Math.ceil(WEIGHTS[step] * 4 * this.#random())
      return Array<Step>(times).fill(step)
    })
  }

  /** @throws AssertionError if something is lost, comes twice, or comes out of order */
  run(): void {
    for (let left = 20 + this.#below(400); left > 0; left--) this.#do(this.#oneOf(this.#steps))
    this.#calm()
    const [client, server] = [this.#client, this.#server]
    assert.equal(server.handled, client.outgoing.total, 'not all has come to the server')
    assert.equal(client.handled, server.outgoing.total, 'not all has come to the client')
    assert.deepEqual([client.outgoing.size, server.outgoing.size], [0, 0], 'not all is confirmed')
  }

  /** No line dies any more. Whoever has lost one notices it, and all that is on its way arrives. */
  #calm(): void {
    const [client, server] = [this.#client, this.#server]
    if (client.wire?.isWhole !== true) client.letGo()
    for (let left = this.#below(60); left > 0; left--) this.#do(this.#oneOf(CALM))
    this.#settle()
    client.tell()
    server.tell()
    this.#settle()
  }

  #settle(): void {
    for (let steps = 0; this.#isBusy; steps++) {
      assert.ok(steps < 20_000, 'it never ends')
      this.#do(this.#oneOf(QUIET))
    }
  }

  /** Whether something is on its way, or waits to be. */
  get #isBusy(): boolean {
    const [client, server] = [this.#client, this.#server]
    if (!client.isOpen || client.outgoing.isWaiting) return true
    if (server.wire !== undefined && server.outgoing.isWaiting) return true
    return this.#wires.some((wire) => !isDone(wire))
  }

  #do(step: Step): void {
    const [client, server] = [this.#client, this.#server]
    switch (step) {
      case 'client sends':
        client.push()
        return client.flush()
      case 'client tells':
        return client.incoming.owes ? client.tell() : undefined
      case 'client dials':
        return this.#dial()
      case 'client lets go':
        return this.#letGo()
      case 'server sends':
        return server.push()
      case 'server hands over':
        return server.feed()
      case 'server tells':
        return server.tell()
      case 'server suspends':
        return server.suspend()
      case 'request arrives':
        return this.#with(
          (wire) => !wire.hasArrived,
          (wire) => server.asked(wire),
        )
      case 'frame gets up':
        return this.#with(
          ({ hasArrived, up }) => hasArrived && up.length > 0,
          (wire) => server.gets(wire, wire.up.shift() as string),
        )
      case 'frame lands':
        return this.#with(({ down }) => down.length > 0, land)
      case 'app gets frame':
        return this.#with(
          ({ landed }) => landed.length > 0,
          (wire) => client.gets(wire, wire.landed.shift() as string),
        )
      case 'line dies':
        return this.#with(
          ({ isWhole }) => isWhole,
          (wire) => this.#kill(wire),
        )
    }
  }

  #dial(): void {
    if (this.#client.wire !== undefined) return
    this.#wires = this.#wires.filter((wire) => !isDone(wire))
    this.#wires.push(this.#client.dial())
    this.connections++
  }

  /** What the platform has not told the app yet may be lost (as browsers lose it). */
  #letGo(): void {
    const { wire } = this.#client
    if (wire === undefined) return
    if (!wire.isWhole) wire.landed.length = this.#below(wire.landed.length + 1)
    this.#client.letGo()
  }

  /** One way or both ways. */
  #kill(wire: Wire): void {
    const which = this.#below(4)
    if (which !== 0) wire.killUp(this.#below(wire.up.length + 1))
    if (which !== 1) wire.killDown(this.#below(wire.down.length + 1))
  }

  #with(isMeant: (wire: Wire) => boolean, act: (wire: Wire) => void): void {
    const meant = this.#wires.filter(isMeant)
    const wire = meant[this.#below(meant.length)]
    if (wire !== undefined) act(wire)
  }

  #oneOf(steps: readonly Step[]): Step {
    return steps[this.#below(steps.length)] as Step
  }

  #below(count: number): number {
    return Math.floor(this.#random() * count)
  }
}

function isDone({ hasArrived, up, down, landed }: Wire): boolean {
  return hasArrived && up.length + down.length + landed.length === 0
}
