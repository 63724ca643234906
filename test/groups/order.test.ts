// Random schedules of what is sent to groups and to single members, who come, go, end, and lose their lines. Each
// gets what a plain loop would have sent it, in the same order.
import assert from 'node:assert/strict'
import { test, type TestContext } from 'node:test'
import * as fc from 'fast-check'
import type { GroupMember, WebsocketLifecycle } from '../../lib/index.js'
import { Client } from '../support/peers/client.js'
import { LinkPeer } from '../support/peers/link-peer.js'
import { portOf, serve } from '../support/servers/server.js'
import { turns } from '../support/time/fake-clock.js'
import { SlicingClock } from '../support/time/slicing-clock.js'
import { until } from '../support/time/timed.js'

const RUNS = 60
const GROUPS = ['a', 'b'] as const
/** Three of each kind: more than a slice serves. */
const KINDS = ['plain', 'link', 'packed alone', 'packed together', 'session', 'no link'] as const
type Kind = (typeof KINDS)[number]
const MEMBERS = 3 * KINDS.length
/** A short message, one that is compressed, and one that the thread pool compresses. */
const SIZES = [10, 200, 40_000] as const

const member = fc.nat(MEMBERS - 1)
const group = fc.constantFrom(...GROUPS)
const size = fc.constantFrom(...SIZES)
const commands = fc.oneof(
  { weight: 8, arbitrary: fc.record({ does: fc.constant('tell all' as const), group, size }) },
  {
    weight: 2,
    arbitrary: fc.record({ does: fc.constant('tell others' as const), group, member, size }),
  },
  { weight: 8, arbitrary: fc.record({ does: fc.constant('tell one' as const), member, size }) },
  { weight: 3, arbitrary: fc.record({ does: fc.constant('join' as const), member, group }) },
  { weight: 2, arbitrary: fc.record({ does: fc.constant('leave' as const), member, group }) },
  { weight: 2, arbitrary: fc.record({ does: fc.constant('cut' as const), member }) },
  { weight: 1, arbitrary: fc.record({ does: fc.constant('close' as const), member }) },
  { weight: 1, arbitrary: fc.record({ does: fc.constant('close all' as const), group }) },
  { weight: 4, arbitrary: fc.record({ does: fc.constant('turn' as const), count: fc.nat(3) }) },
)
type Command = typeof commands extends fc.Arbitrary<infer Each> ? Each : never

/** What a client has heard of the app, over all its connections. */
abstract class Guest {
  readonly expected: string[] = []
  isOpen = true
  readonly face: GroupMember

  constructor(face: GroupMember) {
    this.face = face
  }

  abstract readonly heard: readonly string[]
  /** Comes back if its line was cut. */
  async comeBack(): Promise<void> {}
  cut(): void {}
  abstract leave(): void
}

class PlainGuest extends Guest {
  readonly #client: Client

  constructor(face: GroupMember, client: Client) {
    super(face)
    this.#client = client
  }

  get heard(): readonly string[] {
    return this.#client.events.filter((text) => text.startsWith('m'))
  }

  leave(): void {
    this.#client.ws.terminate()
  }
}

class LinkGuest extends Guest {
  readonly #url: string
  readonly #mayComeBack: boolean
  #peer: LinkPeer
  #attempt = 0
  #isCut = false
  #before: string[] = []

  constructor(face: GroupMember, peer: LinkPeer, url: string, mayComeBack: boolean) {
    super(face)
    this.#url = url
    this.#peer = peer
    this.#mayComeBack = mayComeBack
  }

  get heard(): readonly string[] {
    return [...this.#before, ...this.#peer.frames.filter((text) => text.startsWith('m'))]
  }

  override cut(): void {
    if (!this.#mayComeBack || this.#isCut) return
    this.#isCut = true
    this.#before = [...this.heard]
    this.#peer.frames.length = 0
    this.#peer.cut()
  }

  override async comeBack(): Promise<void> {
    if (!this.#isCut || !this.isOpen) return
    const resume = this.#peer.resume(++this.#attempt, this.#before.length)
    this.#isCut = false
    this.#peer = new LinkPeer(this.#url, { resume })
    await this.#peer.expect('welcome')
  }

  leave(): void {
    this.#peer.ws.terminate()
  }
}

/** One server for all schedules: each has guests of its own. */
async function open(t: TestContext) {
  const clock = new SlicingClock()
  const faces: GroupMember[] = []
  const app = await serve(t, {
    clock,
    options: { keepalive: false, websocket: { perMessageDeflate: { threshold: 100 } } },
    routes: (instance) => {
      instance.get('/', { websocket: true }, (socket) => void faces.push(socket))
      instance.get('/s', { websocket: true, resume: { key: () => null } }, (session) => {
        faces.push(session)
      })
    },
  })
  const url = `ws://127.0.0.1:${portOf(app)}`
  const newest = (): GroupMember => faces.at(-1) as GroupMember
  const enter = async (kind: Kind): Promise<Guest> => {
    const path = kind === 'session' || kind === 'no link' ? `${url}/s` : `${url}/`
    if (kind === 'session' || kind === 'link') {
      const peer = await LinkPeer.confirmed(path)
      return new LinkGuest(newest(), peer, path, kind === 'session')
    }
    const perMessageDeflate =
      kind === 'packed alone' ? { serverNoContextTakeover: true } : kind === 'packed together'
    const client = await Client.open(path, { perMessageDeflate })
    await client.roundTrip()
    return new PlainGuest(newest(), client)
  }
  return { clock, enter, lifecycle: app.websocketLifecycle }
}

/** Does a command to the server, and what it means to the model. */
async function carryOut(
  command: Command,
  text: string,
  guests: readonly Guest[],
  lifecycle: WebsocketLifecycle,
): Promise<void> {
  const guest = guests['member' in command ? command.member : 0] as Guest
  const room = lifecycle.group('group' in command ? command.group : 'a')
  const isIn = (one: Guest): boolean => one.isOpen && room.has(one.face)
  switch (command.does) {
    case 'tell all':
    case 'tell others': {
      const except = command.does === 'tell others' ? guest : undefined
      const all = guests.filter((one) => one !== except && isIn(one))
      for (const { expected } of all) expected.push(text)
      const result = room.send(text, { except: except?.face })
      assert.deepEqual(result, { sent: all.length, dropped: 0 })
      return
    }
    case 'tell one':
      if (guest.isOpen) guest.expected.push(text)
      guest.face.send(text)
      return
    case 'join':
      assert.equal(room.add(guest.face), guest.isOpen)
      return
    case 'leave':
      room.delete(guest.face)
      return
    case 'cut':
      guest.cut()
      return
    case 'close':
      guest.isOpen = false
      guest.face.close(4000)
      return
    case 'close all':
      for (const one of guests.filter(isIn)) one.isOpen = false
      room.close(4001)
      return
    case 'turn':
      await turns(command.count)
  }
}

test('each gets all in the order in which it was sent, whatever happens meanwhile', async (t) => {
  const { clock, enter, lifecycle } = await open(t)
  const schedules = fc.asyncProperty(fc.array(commands, { maxLength: 60 }), async (schedule) => {
    const guests: Guest[] = []
    for (let i = 0; i < MEMBERS; i++) guests.push(await enter(KINDS[i % KINDS.length] as Kind))
    try {
      for (const { face } of guests) lifecycle.group('a').add(face)
      clock.step = 5
      await follow(schedule, guests, lifecycle)
      clock.step = 0
      await settle(guests)
    } finally {
      clock.step = 0
      for (const guest of guests) {
        guest.leave()
        guest.face.terminate()
      }
      await Promise.all(guests.map(async ({ face }) => face.closed))
    }
    assert.equal(lifecycle.groups.size, 0)
  })
  await fc.assert(schedules, { numRuns: RUNS })
})

async function follow(
  schedule: readonly Command[],
  guests: readonly Guest[],
  lifecycle: WebsocketLifecycle,
): Promise<void> {
  for (const [index, command] of schedule.entries()) {
    const length = 'size' in command ? command.size : 0
    await carryOut(command, `m${index} `.padEnd(length, 'x'), guests, lifecycle)
  }
  await turns()
}

/** Waits until all has come, and compares. Who is closed may miss the last messages, if its line was cut. */
async function settle(guests: readonly Guest[]): Promise<void> {
  for (const guest of guests) await guest.comeBack()
  await until(() => guests.every((one) => one.heard.length >= one.expected.length || !one.isOpen))
  for (const [index, { expected, heard, isOpen }] of guests.entries()) {
    const kind = KINDS[index % KINDS.length]
    const wanted = isOpen ? expected : expected.slice(0, heard.length)
    assert.deepEqual(heard.map(headOf), wanted.map(headOf), kind)
  }
}

const headOf = (text: string): string => text.slice(0, 6)
