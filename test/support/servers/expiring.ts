import assert from 'node:assert/strict'
import type { TestContext } from 'node:test'
import type { FastifyInstance } from 'fastify'
import type { LifecycleOptions } from '../../../lib/index.js'
import { within } from '../time/bound.js'
import { type Answer, parseAnswer } from '../peers/client.js'
import { FakeClock, turns } from '../time/fake-clock.js'
import { RawPeer } from '../peers/raw-peer.js'
import { type Connected, connectOne, portOf, serve, type Setup } from './server.js'
import { until } from '../time/timed.js'

export type ExpiresAt = NonNullable<LifecycleOptions['expiresAt']>

/** The longest: no option asks for a shorter one. */
export const TICK = 1_000

export interface Timed extends Connected {
  readonly clock: FakeClock
}

/** One connection whose credentials end so long after the epoch of its clock. */
export async function connectUntil(t: TestContext, lifetime: number | undefined): Promise<Timed> {
  const clock = new FakeClock()
  const answer = lifetime === undefined ? undefined : clock.wall() + lifetime
  const route = { expiresAt: () => answer }
  const connected = await connectOne(t, { clock, options: { keepalive: false }, route })
  return { ...connected, clock }
}

export interface Asked {
  readonly app: FastifyInstance
  readonly clock: FakeClock
  readonly port: number
  /** What happened, in order: the hooks, `expiresAt`, `handler`, `abort`, `release`. */
  readonly events: string[]
}

/** An app whose route `/feed` asks for the end of the credentials, and notes what comes when. */
export async function ask(t: TestContext, expiresAt: ExpiresAt, setup: Setup = {}): Promise<Asked> {
  const clock = new FakeClock()
  const events: string[] = []
  const note = (name: string) => async () => void events.push(name)
  const app = await serve(t, {
    clock,
    ...setup,
    options: { keepalive: false, ...setup.options },
    routes: (app) => {
      setup.routes?.(app)
      app.get(
        '/feed',
        {
          websocket: true,
          onRequest: async (request) => {
            events.push('onRequest')
            request.wsScope?.signal.addEventListener('abort', () => events.push('abort'))
            request.wsScope?.defer(() => events.push('release'))
          },
          preValidation: note('preValidation'),
          preHandler: note('preHandler'),
          expiresAt: (request) => {
            events.push('expiresAt')
            return expiresAt(request)
          },
        },
        () => void events.push('handler'),
      )
    },
  })
  return { app, clock, port: portOf(app), events }
}

export const HOOKS = ['onRequest', 'preValidation', 'preHandler']

/** That an upgrade was answered so, and that nothing of it is left. */
export async function assertRefused(asked: Asked, status: number): Promise<Answer> {
  const peer = await RawPeer.dial(asked.port, '/feed')
  const answer = parseAnswer(await within(peer.answer(), 'an answer'))
  assert.equal(answer.status, status, answer.body)
  await within(peer.ended(), 'the end of the socket')
  await assertNothingLeft(asked)
  return answer
}

export async function assertNothingLeft({ app, clock, events }: Asked): Promise<void> {
  await until(() => clock.pending === 0)
  await turns(20)
  assert.deepEqual(events, [...HOOKS, 'expiresAt', 'abort', 'release'])
  const { open, opened } = app.websocketLifecycle.stats()
  assert.deepEqual({ open, opened, pending: clock.pending }, { open: 0, opened: 0, pending: 0 })
}
