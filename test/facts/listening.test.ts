// Who listens for one server, with code of others: what goes wrong there harms nobody.
import assert from 'node:assert/strict'
import { channel } from 'node:diagnostics_channel'
import { test } from 'node:test'
import { CHANNELS } from '../../lib/facts/events.js'
import { Listening } from '../../lib/facts/listening.js'
import { logLines } from '../support/servers/log-lines.js'
import { serve } from '../support/servers/server.js'

test('a listener that fails is logged once, and hears the next event', async (t) => {
  const { lines, fastify } = logLines()
  const app = await serve(t, { fastify })
  const listening = new Listening(app)
  const heard: number[] = []
  listening.onEvent('drain.begun', ({ connections }) => {
    heard.push(connections)
    throw new Error('as asked')
  })
  for (const connections of [1, 2]) CHANNELS['drain.begun'].publish({ app, connections })
  assert.deepEqual(heard, [1, 2])
  const failed = lines.filter(({ msg }) => String(msg).includes('have failed'))
  assert.equal(failed.length, 1)
  assert.match(JSON.stringify(failed), /as asked/)
  listening.stop()
  CHANNELS['drain.begun'].publish({ app, connections: 3 })
  assert.deepEqual(heard, [1, 2])
})

test('what somebody else writes to a channel is not heard', async (t) => {
  const app = await serve(t, {})
  const listening = new Listening(app)
  const heard: unknown[] = []
  listening.onEvent('drain.begun', (event) => heard.push(event))
  const other = await serve(t, {})
  for (const told of [undefined, null, 'text', {}, { app: undefined }, { app: other }]) {
    channel('fastify-websocket-lifecycle:drain.begun').publish(told)
  }
  assert.deepEqual(heard, [])
  listening.stop()
})
