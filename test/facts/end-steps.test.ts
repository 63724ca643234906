import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { FastifyBaseLogger } from 'fastify'
import { EndSteps } from '../../lib/facts/end-steps.js'
import { hear } from '../support/servers/hear.js'
import { FakeClock } from '../support/time/fake-clock.js'

const subject = (id: string): { id: string; routeUrl: string; log: FastifyBaseLogger } => ({
  id,
  routeUrl: '/',
  log: {} as FastifyBaseLogger,
})

test('of an end that began before somebody listened no steps are told', async (t) => {
  const clock = new FakeClock()
  const steps = new EndSteps(clock)
  const early = subject('early')
  steps.expect(early.id)
  const began = steps.began()
  hear(t, 'connection.released')
  const late = subject('late')
  steps.expect(late.id)
  steps.ended(early, 'onClose', began, false)
  const second = steps.began()
  await clock.advance(5)
  for (const each of [early, late]) steps.ended(each, 'release', second, true)
  assert.deepEqual(steps.take(early), [])
  assert.deepEqual(steps.take(late), [{ name: 'release', duration: 5, overran: true }])
  assert.deepEqual(steps.take(late), [])
})
