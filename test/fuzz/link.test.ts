// Any bytes after the welcome of a session: messages and frames of the link, right, wrong and mutated. What a bare ws server
// hears of them, read by rules told anew, says what the session handles, and how it ends or waits.
import assert from 'node:assert/strict'
import { test } from 'node:test'
import * as fc from 'fast-check'
import type { CloseCause, LifecycleSession } from '../../lib/index.js'
import { fuzz } from '../support/models/fuzz.js'
import { type Heard, hear, saying } from '../support/models/link-bytes.js'
import { packets } from '../support/models/wire-frames.js'
import { LinkPeer } from '../support/peers/link-peer.js'
import { OPCODE, RawPeer } from '../support/peers/raw-peer.js'
import { WirePeer } from '../support/peers/wire-peer.js'
import { BareWs } from '../support/servers/bare-ws.js'
import { GREETINGS, LinkDoor, MAX_PAYLOAD } from '../support/servers/link-door.js'
import { WINDOW } from '../support/servers/with-sessions.js'
import { within } from '../support/time/bound.js'
import { delivered } from '../support/time/delivered.js'
import { until } from '../support/time/timed.js'
import { watchUncaught } from '../support/time/uncaught.js'

/** `quiet`: with a FIN, when all that was said has been read. */
type Leave = 'quiet' | 'fin' | 'rst'

interface Play {
  /** Number of messages before all that may be wrong. */
  readonly right: number
  /** How many messages it confirms then; `undefined`: it does not tell. */
  readonly ack: number | undefined
  readonly said: Buffer
  readonly sizes: readonly number[]
  readonly leave: Leave
  /** Whether it comes back, where its session waits. */
  readonly returns: boolean
}

const plays: fc.Arbitrary<Play> = fc.record({
  right: fc.nat(3),
  ack: fc.option(fc.nat(GREETINGS.length), { nil: undefined, freq: 4 }),
  said: saying,
  sizes: packets,
  leave: fc.constantFrom<Leave[]>('quiet', 'quiet', 'fin', 'rst'),
  returns: fc.boolean(),
})

function bytesOf({ right, ack, said }: Play): Buffer {
  const texts = Array.from({ length: right }, (_, index) => `right ${index}`)
  if (ack !== undefined) texts.push(`\0a${ack}`)
  return Buffer.concat([...texts.map((text) => RawPeer.frame(OPCODE.text, text)), said])
}

async function say(peer: WirePeer, play: Play): Promise<void> {
  const bytes = bytesOf(play)
  for (let at = 0, turn = 0; at < bytes.length; turn++) {
    const size = play.sizes[turn % play.sizes.length] ?? bytes.length
    await peer.write(bytes.subarray(at, at + size))
    at += size
  }
  if (play.leave === 'quiet') await delivered()
  if (play.leave === 'rst') peer.socket.resetAndDestroy()
  else peer.socket.end()
  await peer.ended()
}

/** What a bare ws server hears of it, and the causes that our end may have. */
async function expectation(bare: BareWs, play: Play): Promise<[Heard, CloseCause[]]> {
  const peer = await WirePeer.open(bare.port, '/')
  // A RST may throw away what was said before: that is asked of our server alone.
  await say(peer, play.leave === 'rst' ? { ...play, leave: 'quiet' } : play)
  const { closed, error, messages } = bare.of('/')
  const code = await within(closed, "ws's close event")
  const heard = hear(messages, GREETINGS.length)
  bare.forget()
  const causes = causesOf(play.leave, heard, error, code)
  return [heard, causes]
}

function causesOf(
  leave: Leave,
  { isBroken }: Heard,
  error: string | undefined,
  code: number,
): CloseCause[] {
  const unseen: CloseCause[] =
    leave === 'rst' ? ['connection-reset', 'connection-lost'] : ['connection-lost']
  const own: CloseCause[] = isBroken
    ? ['protocol-error']
    : error !== undefined
      ? ['protocol-error', 'message-too-big']
      : code === 1006 || code === 4990
        ? ['connection-lost']
        : ['client-close']
  // Whether a fault or a goodbye is seen before the line breaks depends on the kernel.
  const mayBeUnseen = leave === 'rst' || (leave === 'fin' && error !== undefined)
  return mayBeUnseen ? [...own, ...unseen] : own
}

/** Comes back: what it has not confirmed is sent again, and what was handled is told. */
async function comeBack(door: LinkDoor, token: string, confirmed: number): Promise<void> {
  const resume = { attempt: 1, received: confirmed, token }
  const peer = await LinkPeer.connect(door.server.url, { resume })
  assert.deepEqual(peer.welcome, { token, isResumed: true, received: door.messages.length })
  for (const text of GREETINGS.slice(confirmed)) await peer.expect(text)
  peer.ws.close(1000)
  await within(peer.closed, 'the close frame')
}

async function settle(door: LinkDoor, session: LifecycleSession): Promise<void> {
  await until(() => session.suspended || door.server.closes.length > 0)
}

test('frames of the link, right, wrong and mutated, in packets of any size', async (t) => {
  const errors = watchUncaught(t)
  const bare = await BareWs.serve(t, { maxPayload: MAX_PAYLOAD })
  const door = await LinkDoor.open(t, 1)
  await fuzz(
    fc.asyncProperty(plays, async (play) => {
      await door.forget()
      const [heard, causes] = await expectation(bare, play)
      const { peer, token } = await door.enter()
      const { session } = door
      await say(peer, play)
      await settle(door, session)
      const isSuspended = session.suspended
      if (isSuspended && play.returns && play.leave !== 'rst') {
        await comeBack(door, token, heard.confirmed ?? 0)
      } else if (isSuspended) await door.server.clock.advance(WINDOW)
      const close = await door.end(session)
      const { length } = door.messages
      const expected = play.leave === 'rst' ? heard.handled.slice(0, length) : heard.handled
      assert.deepEqual(door.messages, expected)
      if (isSuspended) assert.notEqual(heard.confirmed, undefined)
      else assert.ok(causes.includes(close.cause), `${close.cause}, expected ${causes.join()}`)
      assert.equal(close.messagesReceived, length)
      await door.check(token)
      if (errors.length > 0) throw errors[0]
    }),
    50,
  )
  await door.close()
})
