// Jest as docs/testing.md says: what it cannot do, and the ways out.
import assert from 'node:assert/strict'
import { after, before, describe, it } from 'node:test'
import { satisfies } from 'semver'
import { installTarball, type Installed } from '../support/servers/tarball.js'
import { Project, TESTS, userTests } from './project.js'

const JEST: [string, ...string[]] = ['jest', '--testTimeout=60000']

const FAKES = `
const fakeTimers = () => jest.useFakeTimers({ doNotFake: ['nextTick', 'queueMicrotask'] })
const realTimers = () => jest.useRealTimers()
`
const COMMON_JS = userTests(`const Fastify = require('fastify')
const websocketLifecycle = require('fastify-websocket-lifecycle')
const { connect, link, manualClock, nothingLeft, UpgradeRefusedError } = require('fastify-websocket-lifecycle/testing')
${FAKES}`)
const MODULE = userTests(`import { jest } from '@jest/globals'
import Fastify from 'fastify'
import websocketLifecycle from 'fastify-websocket-lifecycle'
import { connect, link, manualClock, nothingLeft, UpgradeRefusedError } from 'fastify-websocket-lifecycle/testing'
${FAKES}`)

const TRANSFORMING = `module.exports = {
  transform: {
    '\\\\.js$': ['babel-jest', { plugins: ['@babel/plugin-transform-modules-commonjs'] }],
  },
  transformIgnorePatterns: ['/node_modules/(?!\\\\.pnpm/|fastify-websocket-lifecycle/)'],
}
`
const VM_MODULES = { NODE_OPTIONS: '--experimental-vm-modules' }

function assertPassed({ code, output }: { code: unknown; output: string }): void {
  assert.equal(code, 0, output)
  assert.match(output, new RegExp(`Tests: +${TESTS} passed, ${TESTS} total`), output)
}

describe('Jest', () => {
  let installed: Installed
  let project: Project
  before(async () => {
    installed = await installTarball()
    project = await Project.make(installed, 'jest', [
      'jest',
      'babel-jest',
      '@babel/core',
      '@babel/plugin-transform-modules-commonjs',
    ])
  })
  after(() => installed[Symbol.asyncDispose]())

  it('cannot require the package as it is, and says so', async () => {
    const files = { 'app.test.js': COMMON_JS, 'package.json': '{}' }
    const { code, output } = await project.run('plain', files, JEST)
    assert.equal(code, 1, output)
    assert.match(output, /Must use import to load ES Module: .*fastify-websocket-lifecycle/)
  })

  it('CommonJS: runs the tests of a user, if it transforms the package', async () => {
    const files = {
      'app.test.js': COMMON_JS,
      'jest.config.js': TRANSFORMING,
      'package.json': '{}',
    }
    assertPassed(await project.run('transformed', files, JEST))
  })

  it('ESM: runs the tests of a user', async () => {
    const files = { 'app.test.js': MODULE, 'package.json': '{ "type": "module" }' }
    assertPassed(await project.run('esm', files, JEST, VM_MODULES))
  })

  const canRequire = satisfies(process.version, '>=24.9')
  it('CommonJS: needs no transform on Node 24.9', { skip: !canRequire }, async () => {
    const files = { 'app.test.js': COMMON_JS, 'package.json': '{}' }
    assertPassed(await project.run('required', files, JEST, VM_MODULES))
  })
})
