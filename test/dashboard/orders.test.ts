// What a page may say.
import assert from 'node:assert/strict'
import { test } from 'node:test'
import * as fc from 'fast-check'
import { readOrder } from '../../lib/dashboard/orders.js'
import type { ToServer } from '../../lib/dashboard/protocol.js'
import { until } from '../support/time/timed.js'
import { serveDashboard } from '../support/servers/with-dashboard.js'

const RIGHT: readonly ToServer[] = [
  { type: 'see', ids: [] },
  { type: 'see', ids: Array.from({ length: 100 }, String) },
  { type: 'look', id: 'x'.repeat(200) },
  { type: 'look', id: null },
  { type: 'end', id: '' },
  { type: 'close', id: 'a', code: 4000, reason: '' },
  { type: 'close', id: 'a', code: -1, reason: 'ü'.repeat(200) },
]

const WRONG: readonly unknown[] = [
  null,
  7,
  'see',
  [],
  {},
  { type: 'hello' },
  { type: 'constructor' },
  { type: '__proto__' },
  { type: ['see'], ids: [] },
  { type: 'see' },
  { type: 'see', ids: 'abc' },
  { type: 'see', ids: [1] },
  { type: 'see', ids: ['x'.repeat(201)] },
  { type: 'see', ids: Array.from({ length: 101 }, String) },
  { type: 'see', ids: [], more: 1 },
  { type: 'look' },
  { type: 'look', id: undefined },
  { type: 'look', id: 7 },
  { type: 'end', id: null },
  { type: 'close', id: 'a', code: 4000 },
  { type: 'close', id: 'a', code: 4000.5, reason: '' },
  { type: 'close', id: 'a', code: '4000', reason: '' },
  { type: 'close', id: 'a', code: 4000, reason: null },
  { type: 'close', id: 'a', code: 4000, reason: '', by: 'root' },
]

test('an order is taken as it is', () => {
  for (const order of RIGHT) assert.deepEqual(readOrder(JSON.stringify(order)), order)
})

test('anything else is none', () => {
  for (const value of WRONG) assert.equal(readOrder(JSON.stringify(value)), undefined)
  assert.equal(readOrder(''), undefined)
  assert.equal(readOrder('{"type":"see","ids":[]'), undefined)
  // `__proto__` in JSON is a name like any other.
  assert.equal(readOrder('{"type":"end","__proto__":{"id":"a"}}'), undefined)
  assert.equal(readOrder(Buffer.from('{"type":"look","id":null}')), undefined)
})

test('whatever comes, it is an order of ours or none, and nothing is thrown', () => {
  const value = fc.oneof(
    fc.jsonValue(),
    fc.record(
      {
        type: fc.oneof(fc.constantFrom('see', 'look', 'end', 'close'), fc.jsonValue()),
        id: fc.oneof(fc.string(), fc.jsonValue()),
        ids: fc.oneof(fc.array(fc.string()), fc.jsonValue()),
        code: fc.oneof(fc.integer(), fc.jsonValue()),
        reason: fc.oneof(fc.string(), fc.jsonValue()),
      },
      { requiredKeys: [] },
    ),
  )
  fc.assert(
    fc.property(value, (one) => {
      const order = readOrder(JSON.stringify(one))
      if (order === undefined) return
      assert.ok(['see', 'look', 'end', 'close'].includes(order.type))
      if (order.type === 'see') assert.ok(order.ids.every((id) => typeof id === 'string'))
      else if (order.type === 'look') assert.ok(order.id === null || order.id.length <= 200)
      else assert.equal(typeof order.id, 'string')
      if (order.type === 'close') assert.ok(Number.isSafeInteger(order.code))
    }),
    { numRuns: 2_000 },
  )
  fc.assert(fc.property(fc.string(), (text) => void readOrder(text)))
})

test('whoever says something else is closed, and does no harm to others', async (t) => {
  const { app, look } = await serveDashboard(t)
  const good = await look()
  for (const said of ['no JSON', '{"type":"close"}', Buffer.from('{"type":"look","id":null}')]) {
    const bad = await look()
    bad.client.send(said)
    assert.equal((await bad.client.closed).code, 1008)
  }
  await until(() => app.websocketLifecycle.sessions.size === 1)
  await good.tick()
  assert.equal(good.hellos.length, 1)
  good.client.drop()
})
