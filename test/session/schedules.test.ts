import { test } from 'node:test'
import { holds } from '../support/models/property.js'
import { runsOr } from '../support/models/runs.js'
import { sessions } from '../support/models/sessions.js'

test('whatever happens to sessions, each has one end, and all arrives once', async () => {
  await holds(sessions, runsOr(150))
})
