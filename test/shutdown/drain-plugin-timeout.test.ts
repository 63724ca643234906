// A drain has to fit into Fastify's pluginTimeout.
import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import Fastify from 'fastify'
import websocketLifecycle from '../../lib/index.js'
import { endWith } from '../support/servers/server.js'

describe("drain.timeout and Fastify's pluginTimeout", () => {
  const cases: Array<
    [drain: number | undefined, pluginTimeout: number | undefined, fits: boolean]
  > = [
    [undefined, undefined, true],
    [8_500, undefined, true],
    [8_501, undefined, false],
    [undefined, 9_499, false],
    [undefined, 9_500, true],
    [600_000, 0, true],
    [1_500, 3_000, true],
    [1_501, 3_000, false],
  ]
  for (const [timeout, pluginTimeout, fits] of cases) {
    const name = `drain.timeout ${timeout} and pluginTimeout ${pluginTimeout}`
    test(`${name} ${fits ? 'fit' : 'do not fit, which is said at the start'}`, async (t) => {
      const app = Fastify(pluginTimeout === undefined ? {} : { pluginTimeout })
      endWith(t, app)
      await app.register(websocketLifecycle, timeout === undefined ? {} : { drain: { timeout } })
      if (fits) {
        await app.ready()
        return
      }
      await assert.rejects(async () => app.ready(), {
        code: 'FST_ERR_WSL_INVALID_OPTION',
        message: new RegExp(
          `\`drain.timeout\` to be at most ${(pluginTimeout ?? 10_000) - 1_500}, .*got \`${timeout ?? 8_000}\``,
        ),
      })
    })
  }
})
