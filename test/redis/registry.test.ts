import { test } from 'node:test'
import { holds } from '../support/models/property.js'
import { runsOr } from '../support/models/runs.js'
import { registry } from '../support/models/registry.js'

test('whatever nodes ask: none is claimed early, or by two; a claim has the greatest fence; nothing is left of who has gone', async () => {
  await holds(registry, runsOr(100))
})
