// Any bytes in the offer of a peer that wants to go on with a session: only the right ones take it, and none harms it.
import assert from 'node:assert/strict'
import { test } from 'node:test'
import * as fc from 'fast-check'
import { fuzz } from '../support/models/fuzz.js'
import { counts } from '../support/models/link-bytes.js'
import { type Mutation, mutated, mutations, packets } from '../support/models/wire-frames.js'
import { OPCODE, RawPeer } from '../support/peers/raw-peer.js'
import { WirePeer } from '../support/peers/wire-peer.js'
import { GREETINGS, LinkDoor, PATH } from '../support/servers/link-door.js'
import { WINDOW } from '../support/servers/with-sessions.js'
import { delivered } from '../support/time/delivered.js'
import { until } from '../support/time/timed.js'
import { watchUncaught } from '../support/time/uncaught.js'

/** The largest number of an attempt. */
const LARGEST = 10 ** 15 - 1

/** What becomes of the token in an offer. */
const TOKENS: ReadonlyArray<(token: string) => string> = [
  (token) => token,
  (token) => token,
  (token) => token,
  (token) => token.slice(0, -1),
  (token) => `${token}A`,
  (token) => token.slice(1),
  (token) => token.toLowerCase(),
  (token) => `${token}.${token}`,
  (token) => token.repeat(4),
  (token) => token.replaceAll(/[_-]/g, '+'),
  (token) => Buffer.from(token, 'base64url').toString('hex'),
  (token) => encodeURIComponent(`é${token}`),
  (token) => `é${token}`,
  () => '',
  () => '__proto__',
]

type Name = (token: string) => string

const numbers = fc.oneof({ weight: 3, arbitrary: fc.nat(5).map(String) }, counts)
const request: fc.Arbitrary<Name> = fc.tuple(numbers, numbers, fc.constantFrom(...TOKENS)).map(
  ([attempt, received, change]) =>
    (token) =>
      `wsl.r.${attempt}.${received}.${change(token)}`,
)
/** With the right token, and mostly with numbers that are right. */
const right: fc.Arbitrary<Name> = fc
  .tuple(fc.constantFrom(0, 1, 2, LARGEST), fc.nat(GREETINGS.length + 1))
  .map(
    ([attempt, received]) =>
      (token) =>
        `wsl.r.${attempt}.${received}.${token}`,
  )
const name: fc.Arbitrary<Name> = fc.oneof(
  { weight: 2, arbitrary: request },
  fc
    .constantFrom('wsl.1', 'wsl.1.chat', 'wsl.1.', 'wsl.2', 'wsl.r', 'wsl.r.', 'chat', '', 'a b')
    .map((text) => () => text),
)
const names: fc.Arbitrary<readonly Name[]> = fc.oneof(
  { weight: 3, arbitrary: right.map((each) => [() => 'wsl.1', each]) },
  { weight: 3, arbitrary: request.map((each) => [() => 'wsl.1', each]) },
  { weight: 2, arbitrary: fc.array(name, { maxLength: 5 }) },
  fc.tuple(name, fc.constantFrom(20, 200, 2_000)).map(([each, count]) => Array(count).fill(each)),
)

interface Offering {
  readonly names: readonly Name[]
  readonly separator: string
  /** Whether each name has a line of its own. */
  readonly inLines: boolean
  readonly edits: readonly Mutation[]
  readonly sizes: readonly number[]
  /** How the peer goes. */
  readonly leave: 'fin' | 'rst'
  /** Whether the client of the session is away when the offer comes. */
  readonly isAway: boolean
}

const offerings: fc.Arbitrary<Offering> = fc.record({
  names,
  separator: fc.constantFrom(',', ', ', ' ,\t', ',,'),
  inLines: fc.boolean(),
  edits: fc.oneof({ weight: 3, arbitrary: fc.constant([]) }, mutations),
  sizes: packets,
  leave: fc.constantFrom('fin' as const, 'rst' as const),
  isAway: fc.boolean(),
})

const HEADER = 'sec-websocket-protocol: '

/** The header, and what it offers as it is read. */
function offerOf(offering: Offering, token: string): { header: Buffer; offered: string[] } {
  const { edits, inLines, separator } = offering
  const value = offering.names
    .map((each) => each(token))
    .join(inLines ? `\r\n${HEADER}` : separator)
  const header = mutated(Buffer.from(HEADER + value), edits)
  const lines = header.toString('latin1').split('\r\n')
  const values = lines.flatMap((line) => /^sec-websocket-protocol:(.*)$/i.exec(line)?.[1] ?? [])
  return {
    header,
    offered: values
      .join()
      .split(',')
      .map((each) => each.trim()),
  }
}

/** Whether that may take the session over. */
function isRight(offered: readonly string[], token: string): boolean {
  const requests = offered.filter((each) => each.startsWith('wsl.r.'))
  const [attempt = '', received = '', ...rest] = String(requests[0]).slice(6).split('.')
  const areNumbers = [attempt, received].every((text) => /^[0-9]{1,15}$/.test(text))
  return (
    offered.includes('wsl.1') &&
    requests.length === 1 &&
    areNumbers &&
    Number(attempt) >= 1 &&
    Number(attempt) <= LARGEST &&
    Number(received) <= GREETINGS.length &&
    rest.join('.') === token
  )
}

async function offer(door: LinkDoor, header: Buffer, offering: Offering): Promise<WirePeer> {
  const { port } = door.server
  const [head = ''] = RawPeer.handshake(port, PATH).split('\r\n\r\n')
  const bytes = Buffer.concat([Buffer.from(`${head}\r\n`), header, Buffer.from('\r\n\r\n')])
  const peer = await WirePeer.dial(port)
  for (let at = 0, turn = 0; at < bytes.length; turn++) {
    const size = offering.sizes[turn % offering.sizes.length] ?? bytes.length
    // A long one in few packets.
    const scaled = size * Math.ceil(bytes.length / 1_000)
    await peer.write(bytes.subarray(at, at + scaled))
    at += scaled
  }
  await delivered()
  if (offering.leave === 'rst') peer.socket.resetAndDestroy()
  else peer.socket.end()
  await peer.ended()
  return peer
}

test('offers of every kind: a session is taken over by the right ones alone', async (t) => {
  const errors = watchUncaught(t)
  const door = await LinkDoor.open(t, 2)
  await fuzz(
    fc.asyncProperty(offerings, async (offering) => {
      await door.forget()
      const { peer: first, token } = await door.enter()
      const { session } = door
      await first.write(RawPeer.frame(OPCODE.text, '\0a0'))
      if (offering.isAway) {
        await delivered()
        first.socket.resetAndDestroy()
        await until(() => session.suspended)
      }
      const { header, offered } = offerOf(offering, token)
      const { text } = await offer(door, header, offering)
      assert.match(text, /^HTTP\/1\.1 (101|400|431) /)
      // It answers with a name that was offered, or with none.
      const [, answer] = /^sec-websocket-protocol: (.*)\r$/im.exec(text) ?? []
      assert.ok(answer === undefined || offered.includes(answer), answer)
      const resumes = door.server.events.filter((event) => event === 'resume').length
      const isExpected = isRight(offered, token) && text.startsWith('HTTP/1.1 101')
      assert.equal(resumes, Number(isExpected))
      if (resumes === 0 && !offering.isAway) {
        await first.write(RawPeer.closeFrame(1000))
        first.socket.end()
        await first.ended()
      } else {
        await until(() => session.suspended)
        await door.server.clock.advance(WINDOW)
      }
      const { cause } = await door.end(session)
      const isLost = resumes > 0 || offering.isAway
      assert.ok(isLost ? /^connection-(lost|reset)$/.test(cause) : cause === 'client-close', cause)
      const { sessions } = door.server
      assert.ok(sessions.length <= 2)
      await door.check(token, sessions.length)
      if (errors.length > 0) throw errors[0]
    }),
    50,
  )
  await door.close()
})
