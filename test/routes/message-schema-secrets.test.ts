// What is logged of messages that a schema is asked about: nothing of what they say.
import assert from 'node:assert/strict'
import { describe, test, type TestContext } from 'node:test'
import type { LifecycleSocket } from '../../lib/index.js'
import { type LogLine, logLines } from '../support/servers/log-lines.js'
import { type SchemaRoute, speak, telling } from '../support/peers/spoken.js'
import { MOVE } from '../support/models/move.js'

/** What is logged of a connection that sends one message. */
async function linesOf(
  t: TestContext,
  route: SchemaRoute,
  payload: string | Buffer,
): Promise<LogLine[]> {
  const { lines, fastify } = logLines()
  const { ask, peer, socket } = await speak(t, route, { fastify })
  await ask(payload)
  peer.destroy()
  await socket.closed
  return lines
}

describe('no log line holds anything of a payload', () => {
  const SECRET = 'tell-nobody'
  const PAYLOADS = {
    'that is valid': `{"to":"left","extra":"${SECRET}"}`,
    'that is no JSON': `{"to":"${SECRET}`,
    'of a wrong value': `{"to":"${SECRET}"}`,
    'of a wrong type': `["${SECRET}"]`,
    'that would poison prototypes': `{"__proto__":"${SECRET}"}`,
    'that is binary': Buffer.from(SECRET),
  } as const
  const SECOND_HANDS = {
    'with an onInvalidMessage': {},
    'with an onInvalidMessage that fails': {
      onInvalidMessage: () => {
        throw new Error('fault')
      },
    },
    'without an onInvalidMessage': { onInvalidMessage: undefined },
    'whose validator fails': {
      validatorCompiler: () => () => {
        throw new Error('fault')
      },
    },
  }

  for (const [second, options] of Object.entries(SECOND_HANDS)) {
    test(`on a route ${second}`, async (t) => {
      for (const payload of Object.values(PAYLOADS)) {
        const lines = await linesOf(t, { ...telling(MOVE), ...options } as SchemaRoute, payload)
        assert.ok(lines.some(({ msg }) => msg === 'WebSocket connection ended'))
        assert.doesNotMatch(JSON.stringify(lines), new RegExp(SECRET))
      }
    })
  }

  test('nor does the error that onInvalidMessage gets', async (t) => {
    const seen: string[] = []
    const onInvalidMessage = (socket: LifecycleSocket, _request: unknown, error: Error): void => {
      seen.push(`${error.stack}${JSON.stringify(error)}`)
      socket.send('sorry')
    }
    const { ask } = await speak(t, { ...telling(MOVE), onInvalidMessage })
    const { 'that is valid': _valid, ...invalid } = PAYLOADS
    for (const payload of Object.values(invalid)) await ask(payload)
    assert.equal(seen.length, 5)
    assert.doesNotMatch(seen.join(), new RegExp(SECRET))
  })
})
