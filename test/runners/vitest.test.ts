import assert from 'node:assert/strict'
import { after, before, describe, it } from 'node:test'
import { installTarball, type Installed } from '../support/servers/tarball.js'
import { Project, TESTS, userTests } from './project.js'

const HEAD = `import Fastify from 'fastify'
import websocketLifecycle from 'fastify-websocket-lifecycle'
import { connect, link, manualClock, nothingLeft, UpgradeRefusedError } from 'fastify-websocket-lifecycle/testing'
import { expect, test, vi } from 'vitest'
const fakeTimers = () => vi.useFakeTimers()
const realTimers = () => vi.useRealTimers()
`

describe('vitest', () => {
  let installed: Installed
  let project: Project
  before(async () => {
    installed = await installTarball()
    project = await Project.make(installed, 'vitest', ['vitest'])
  })
  after(() => installed[Symbol.asyncDispose]())

  for (const pool of ['forks', 'threads', 'vmThreads']) {
    it(`runs the tests of a user, in ${pool}`, async () => {
      const files = { 'app.test.mjs': userTests(HEAD), 'package.json': '{ "type": "module" }' }
      const { code, output } = await project.run(pool, files, [
        'vitest',
        'run',
        '--testTimeout=60000',
        '--pool',
        pool,
      ])
      assert.equal(code, 0, output)
      assert.match(output, new RegExp(`Tests +${TESTS} passed`), output)
    })
  }
})
