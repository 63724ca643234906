// Who wants in, and what they get.
import assert from 'node:assert/strict'
import type { FastifyInstance } from 'fastify'
import { within } from '../time/bound.js'
import { type Answer, parseAnswer } from '../peers/client.js'
import { RawPeer } from '../peers/raw-peer.js'
import { portOf } from '../servers/server.js'
import { until } from '../time/timed.js'

type Headers = Record<string, string>

/** The answer of an upgrade that is refused, when its socket has ended. */
export async function turnedAway(
  app: FastifyInstance,
  path = '/',
  headers: Headers = {},
): Promise<Answer> {
  const peer = await RawPeer.dial(portOf(app), path, headers)
  const answer = parseAnswer(await within(peer.answer(), 'an answer'))
  assert.notEqual(answer.status, 101, 'Expected the upgrade to be refused, but it opened')
  await within(peer.ended(), 'the end of the socket')
  return answer
}

/** Resets peers that are open, and waits until nothing of them is left. */
export async function leave(app: FastifyInstance, ...peers: RawPeer[]): Promise<void> {
  const { connections } = app.websocketLifecycle
  const left = connections.size - peers.length
  for (const peer of peers) peer.reset()
  await until(() => connections.size <= left)
}

/** Opens connections until one is refused, then ends them. @returns how many there was room for */
export async function roomFor(
  app: FastifyInstance,
  path = '/',
  headers: Headers = {},
  status = 503,
): Promise<number> {
  const assertFull = (answer: Answer): void => assert.equal(answer.status, status, answer.body)
  return countRoom(app, path, () => headers, assertFull, 999)
}

/** The same where each has headers of its own, of whom there may be no more than `atMost`. */
export async function countRoom(
  app: FastifyInstance,
  path: string,
  headersOf: (index: number) => Headers,
  assertFull: (answer: Answer) => void,
  atMost: number,
): Promise<number> {
  const peers: RawPeer[] = []
  for (;;) {
    const peer = await RawPeer.dial(portOf(app), path, headersOf(peers.length))
    const answer = parseAnswer(await within(peer.answer(), 'an answer'))
    if (answer.status !== 101) {
      assertFull(answer)
      await within(peer.ended(), 'the end of the socket')
      break
    }
    peers.push(peer)
    assert.ok(peers.length <= atMost, 'There is no limit')
  }
  await leave(app, ...peers)
  return peers.length
}
