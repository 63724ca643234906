import assert from 'node:assert/strict'
import { test } from 'node:test'
import { CLOSE_CAUSES } from '../../../lib/core/close/policy.js'
import { isLoss } from '../../../lib/core/session/loss.js'

test('silence is an accident: these causes suspend a session, and no other does', () => {
  const losses = CLOSE_CAUSES.filter((cause) => isLoss(cause, undefined))
  assert.deepEqual(losses, ['heartbeat-timeout', 'connection-lost', 'connection-reset'])
})

test('a close frame is an intention, but for the codes that only a proxy sends', () => {
  const codes = Array.from({ length: 4_000 }, (_, index) => 1_000 + index)
  const losses = codes.filter((code) => isLoss('client-close', code))
  assert.deepEqual(losses, [1011, 1012, 1013, 1014])
})
