import { test } from 'node:test'
import { groups } from '../support/models/groups.js'
import { holds } from '../support/models/property.js'
import { runsOr } from '../support/models/runs.js'

test('each gets all in the order in which it was sent, whatever happens meanwhile', async () => {
  await holds(groups, runsOr(60))
})
