import { test } from 'node:test'
import { kernel } from '../support/models/kernel.js'
import { holds, runsOr } from '../support/models/property.js'

test('whatever happens to the connections of a server, the invariants hold', async () => {
  await holds(kernel, runsOr(60))
})
