import { test } from 'node:test'
import { kernel } from '../support/models/kernel.js'
import { holds } from '../support/models/property.js'
import { runsOr } from '../support/models/runs.js'

test('whatever happens to the connections of a server, the invariants hold', async () => {
  await holds(kernel, runsOr(60))
})
