// Peers that speak the link by hand, right and wrong, against a real server.
import assert from 'node:assert/strict'
import { once } from 'node:events'
import { test } from 'node:test'
import * as fc from 'fast-check'
import type { LifecycleSession } from '../../lib/index.js'
import { protocolIn } from '../../lib/core/session/link.js'
import { type Move, moves, type Stage, Talk } from '../support/models/link-talk.js'
import { LinkPeer } from '../support/peers/link-peer.js'
import { OPCODE, RawPeer } from '../support/peers/raw-peer.js'
import { serveSessions, type WithSessions } from '../support/servers/with-sessions.js'
import { within } from '../support/time/bound.js'

/** Lets a peer do all that, as long as it keeps to the rules, and checks all that comes of it. */
async function talk(
  { clock, closes, events, sessions, url }: WithSessions,
  all: readonly Move[],
  budget?: number,
): Promise<void> {
  events.splice(0)
  closes.splice(0)
  const first = await LinkPeer.confirmed(url)
  const session = sessions.at(-1) as LifecycleSession
  let attempt = 0
  const stage: Stage = {
    connect: (received) => LinkPeer.connect(url, { resume: first.resume(++attempt, received) }),
    send: (text) => session.send(text),
    wait: () => clock.advance(1_500),
  }
  const run = new Talk(stage, first, budget)
  for (const move of all) {
    await run.do(move)
    if (run.broken !== undefined) break
  }
  if (run.broken === undefined) run.peer.ws.close(1000)
  const close = await within(session.closed, 'the end')
  assert.deepEqual(
    events.filter((event) => event.startsWith('message')),
    run.handled,
  )
  assert.deepEqual([close.cause, (close.sent ?? close).code], ENDS[run.broken ?? 'normal'])
  assert.deepEqual([closes.length, close.resumes], [1, attempt])
  assert.equal(close.messagesReceived, run.handled.length + run.refused)
}

const ENDS = {
  normal: ['client-close', 1000],
  protocol: ['protocol-error', 1002],
  rate: ['rate-limited', 1008],
} as const

test('whatever a peer says, right or wrong, each frame has exactly its consequence', async (t) => {
  const server = await serveSessions(t, { options: { inbox: { maxMessages: 1_000 } } })
  await fc.assert(
    fc.asyncProperty(moves, (all) => talk(server, all)),
    { numRuns: 200, endOnFailure: true },
  )
})

test('with a rate each frame counts, but for what confirms something new', async (t) => {
  const messageRate = { max: 30, window: 86_400_000 }
  const server = await serveSessions(t, {
    options: { inbox: { maxMessages: 1_000 }, messageRate },
  })
  await fc.assert(
    fc.asyncProperty(moves, (all) => {
      // A client that was away is granted what it could have sent meanwhile.
      const atOnce = all.filter(({ does }) => does !== 'waits')
      return talk(server, atOnce, messageRate.max)
    }),
    { numRuns: 100, endOnFailure: true },
  )
})

const name = fc.oneof(
  fc.constantFrom(
    'wsl.1',
    'wsl.1.chat',
    'wsl.1.talk',
    'chat',
    'wsl.1.',
    'wsl.2',
    'wsl.',
    'wsl.r',
    '',
  ),
  fc.tuple(fc.nat(3), fc.nat(3)).map(([attempt, received]) => `wsl.r.${attempt}.${received}.TOKEN`),
  fc.constantFrom(
    'wsl.r.',
    'wsl.r.TOKEN',
    'wsl.r.1.TOKEN',
    'wsl.r.1.1.x',
    'wsl.r.1.0.TOKEN\t',
    'wsl.r.-1.0.TOKEN',
  ),
  fc.stringMatching(/^[ -+\--~]{0,12}$/),
)
const offers = fc
  .array(name, { maxLength: 5 })
  .chain((names) => fc.constantFrom(',', ', ', ' , ').map((separator) => names.join(separator)))

test('whatever a peer offers, the answer is an offered name, and then what fits to it', async (t) => {
  const { app, port, url } = await serveSessions(t)
  await fc.assert(
    fc.asyncProperty(offers, async (template) => {
      const first = await LinkPeer.confirmed(url)
      const header = template.replaceAll('TOKEN', first.welcome.token)
      const peer = await RawPeer.dial(port, '/ws/7', { 'sec-websocket-protocol': header })
      const answer = await within(peer.answer(), 'an answer')
      const [, status] = answer.split(' ')
      if (status === '101') await assertFits(peer, header, answer)
      else assert.equal(status, '400', answer)
      peer.destroy()
      const stats = app.websocketLifecycle.stats().sessions
      // It has either got the session, by a right request, or the session is as it was.
      const isTaken = first.ws.readyState !== first.ws.OPEN || (await isGone(first))
      if (isTaken) assert.match(header, new RegExp(`wsl\\.r\\.[1-3]\\.0\\.${first.welcome.token}`))
      assert.ok(stats.connected >= 0 && stats.suspended >= 0)
      first.ws.close(1000)
    }),
    { numRuns: 150, endOnFailure: true },
  )
})

async function isGone(peer: LinkPeer): Promise<boolean> {
  const pong = once(peer.ws, 'pong').then(() => false)
  peer.ws.ping()
  return Promise.race([pong, peer.closed.then(() => true)])
}

/** What comes first: a welcome or 4991 where the link was answered, nothing where it was not. */
async function assertFits(peer: RawPeer, header: string, answer: string): Promise<void> {
  const [, protocol] = /^sec-websocket-protocol: (.*)\r$/im.exec(answer) ?? []
  if (protocol !== undefined) {
    assert.ok(
      header.split(',').some((each) => each.trim() === protocol),
      answer,
    )
  }
  peer.send(RawPeer.frame(OPCODE.ping))
  const frame = await within(peer.next(), 'a frame')
  const isLinked = protocol !== undefined && protocolIn(protocol) !== undefined
  if (frame?.opcode === OPCODE.close) assert.equal(frame.payload.readUInt16BE(), 4991)
  else if (!isLinked) assert.equal(frame?.opcode, OPCODE.pong)
  else assert.match(String(frame?.payload), /^\0w\{"v":1,"t":"/)
}

test('what a peer says before its welcome can have come counts as after it', async (t) => {
  const { port, sessions, noted } = await serveSessions(t, {
    handler: (session) => session.send('hello'),
  })
  const handshake = RawPeer.handshake(port, '/ws/7', { 'sec-websocket-protocol': 'wsl.1' })
  const frames = ['early', '\0a0', '\0p'].map((text) => RawPeer.frame(OPCODE.text, text))
  const peer = await RawPeer.dialWith(port, handshake, ...frames)
  await peer.answer()
  const told = [await peer.next(), await peer.next(), await peer.next()]
  const texts = told.map((frame) => String(frame?.payload))
  assert.match(String(texts[0]), /^\0w/)
  assert.deepEqual(texts.slice(1), ['hello', '\0a1'])
  await noted('message early')
  // It has confirmed its welcome.
  peer.reset()
  await noted('suspend')
  assert.equal(sessions[0]?.suspended, true)
})

test('a peer cannot confirm a message before it was sent, also not with the handshake', async (t) => {
  const { port, noted } = await serveSessions(t)
  const handshake = RawPeer.handshake(port, '/ws/7', { 'sec-websocket-protocol': 'wsl.1' })
  const peer = await RawPeer.dialWith(port, handshake, RawPeer.frame(OPCODE.text, '\0a1'))
  await peer.answer()
  assert.equal((await peer.nextOf(OPCODE.close))?.payload.readUInt16BE(), 1002)
  peer.send(RawPeer.closeFrame(1002))
  await noted('close protocol-error')
})
