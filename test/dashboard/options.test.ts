// Who registers the page for operators, and with what.
import assert from 'node:assert/strict'
import { test, type TestContext } from 'node:test'
import Fastify, { type FastifyInstance } from 'fastify'
import { websocketDashboard } from '../../lib/dashboard/index.js'
import { createPlugin } from '../../lib/plugin/plugin.js'
import { start } from '../support/servers/program.js'
import { invalid } from '../support/servers/resolve.js'
import { endWith } from '../support/servers/app.js'

async function appWithPlugin(t: TestContext): Promise<FastifyInstance> {
  const app = Fastify()
  endWith(t, app)
  await app.register(createPlugin())
  return app
}

const WHERE = 'in the options of fastify-websocket-lifecycle/dashboard'

test('without `authorize` it is not registered: nobody has it open to strangers by mistake', async (t) => {
  for (const [authorize, got] of [
    [undefined, '`undefined` (undefined)'],
    [true, '`true` (boolean)'],
    ['admin', "`'admin'` (string)"],
  ]) {
    const app = await appWithPlugin(t)
    await assert.rejects(
      async () => app.register(websocketDashboard, { prefix: '/admin', authorize } as never),
      invalid(`Expected \`authorize\` to be a function, got ${String(got)}, ${WHERE}`),
    )
  }
})

test('an unknown option is refused', async (t) => {
  const app = await appWithPlugin(t)
  await assert.rejects(
    async () => app.register(websocketDashboard, { authorise: () => true } as never),
    invalid(`Expected a known option, got \`authorise\` (did you mean \`authorize\`?), ${WHERE}`),
  )
})

test('it takes what each plugin of Fastify takes', async (t) => {
  const app = await appWithPlugin(t)
  await app.register(websocketDashboard, {
    prefix: '/ops',
    logLevel: 'warn',
    authorize: () => true,
  })
  const { statusCode } = await app.inject('/ops/')
  assert.equal(statusCode, 200)
})

test('it is registered after the plugin', async (t) => {
  const app = Fastify()
  endWith(t, app)
  await assert.rejects(
    async () => app.register(websocketDashboard, { authorize: () => true }),
    /The dependency 'fastify-websocket-lifecycle' of plugin 'fastify-websocket-lifecycle-dashboard' is not registered/,
  )
})

test('without uplot an error says what to install', async (t) => {
  const program = start(t, 'test/dashboard/without-uplot.ts')
  assert.match(
    await program.line('uplot'),
    /^FST_ERR_WSL_INVALID_OPTION Expected uplot to be installed \(`npm install uplot`\), which draws the charts of fastify-websocket-lifecycle\/dashboard, got none$/,
  )
  assert.equal((await program.exited).code, 0)
})
