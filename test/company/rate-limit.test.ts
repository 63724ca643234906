// @fastify/rate-limit: it counts upgrades as it counts requests, and refuses them before the 101.
import assert from 'node:assert/strict'
import { describe, test, type TestContext } from 'node:test'
import rateLimit, { type RateLimitOptions } from '@fastify/rate-limit'
import Fastify, { type FastifyInstance } from 'fastify'
import websocketLifecycle from '../../lib/index.js'
import type { Link, UpgradeRefusedError } from '../../lib/testing/index.js'
import { connect } from '../support/peers/connect.js'
import { describeFeedStages, FEED, type FeedVisitor, visitFeed } from './support/feed.js'

/** One attempt for each user. */
const LIMIT: RateLimitOptions = {
  max: 1,
  timeWindow: '1 hour',
  keyGenerator: ({ headers }) => String(headers['x-user']),
}

async function assertLimited(line: Link, user: string): Promise<void> {
  await assert.rejects(
    connect(line, FEED, { headers: { 'x-user': user } }),
    ({ status, headers }: UpgradeRefusedError) => {
      const seconds = Number(headers['retry-after'])
      assert.ok(seconds > 3_000 && seconds <= 3_600, `${seconds} s of an hour`)
      return status === 429 && headers['x-ratelimit-limit'] === '1'
    },
  )
}

async function visit(_app: FastifyInstance, line: Link, count: number): Promise<FeedVisitor> {
  const user = `user-${count}`
  const visitor = await visitFeed(line, user, { 'x-user': user })
  return {
    ...visitor,
    get closed() {
      return visitor.closed
    },
    work: async () => {
      await visitor.work()
      await assertLimited(line, user)
    },
  }
}

describeFeedStages('@fastify/rate-limit', {
  register: (app) => app.register(rateLimit, { global: false }),
  know: ({ headers }) => headers['x-user'],
  options: { config: { rateLimit: LIMIT } },
  visit,
})

async function serveLimited(
  t: TestContext,
  maxConnections: number,
): Promise<{ app: FastifyInstance; asked: string[] }> {
  const asked: string[] = []
  const app = Fastify()
  t.after(() => app.close())
  await app.register(rateLimit, LIMIT)
  await app.register(websocketLifecycle, { maxConnections })
  app.get(
    FEED,
    {
      websocket: true,
      preValidation: async ({ headers }) => void asked.push(String(headers['x-user'])),
    },
    () => {},
  )
  return { app, asked }
}

const statusOf = async (app: FastifyInstance, user: string): Promise<number> => {
  const attempt = connect(app, FEED, { headers: { 'x-user': user } })
  return attempt.then(
    () => 101,
    (error: unknown) => (error as UpgradeRefusedError).status,
  )
}

describe('a limit of @fastify/rate-limit', () => {
  test('that is global is one for upgrades, too, and runs before what the route asks', async (t) => {
    const { app, asked } = await serveLimited(t, 10)
    assert.equal(await statusOf(app, 'ann'), 101)
    assert.equal(await statusOf(app, 'ann'), 429)
    assert.deepEqual(asked, ['ann'])
  })

  test('does not count what ours has refused before', async (t) => {
    const { app } = await serveLimited(t, 1)
    const peer = await connect(app, FEED, { headers: { 'x-user': 'ann' } })
    // No place is left: nobody has asked the limiter.
    assert.equal(await statusOf(app, 'bob'), 503)
    const [socket] = app.websocketLifecycle.connections
    await peer.close()
    await socket?.closed
    assert.equal(await statusOf(app, 'bob'), 101)
  })
})
