// What a validator compiler of the app may come up with: a message that it does not take is an invalid one.
import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import type { LifecycleSocket } from '../../lib/index.js'
import { within } from '../support/time/bound.js'
import { ODD_ENDS, ODD_VALUES, watchProcess } from '../support/models/odd-values.js'
import { OPCODE, RawPeer } from '../support/peers/raw-peer.js'
import { portOf, serve } from '../support/servers/server.js'

const WAYS: Readonly<Record<string, (value: unknown) => unknown>> = {
  ...ODD_ENDS,
  'that answers with an error which is': (error) => ({ error }),
  'that has as its errors': (value) => value,
}

describe('a validator', () => {
  for (const [how, judge] of Object.entries(WAYS)) {
    const isTold = how === 'that has as its errors'
    test(`${how} any odd value harms its connection at most`, async (t) => {
      const assertQuiet = watchProcess(t)
      const names = Object.keys(ODD_VALUES)
      const sockets: LifecycleSocket[] = []
      const told: unknown[] = []
      const app = await serve(t, {
        routes: (app) => {
          app.setValidatorCompiler(() => {
            const validator = (name: unknown): unknown => {
              const verdict = judge(ODD_VALUES[String(name)]?.())
              return isTold ? (Object.assign(validator, { errors: verdict }), false) : verdict
            }
            return validator as never
          })
          const route = {
            websocket: true as const,
            schema: { message: {} },
            onMessage: () => {},
            onInvalidMessage: (_socket: unknown, _request: unknown, error: Error) => {
              told.push(error)
            },
          }
          app.get('/', route, (socket) => void sockets.push(socket))
        },
      })
      const peers = await Promise.all(names.map(async () => RawPeer.open(portOf(app))))
      for (const [i, peer] of peers.entries()) {
        peer.send(RawPeer.frame(OPCODE.text, JSON.stringify(names[i])), RawPeer.closeFrame(1000))
        void peer.nextOf(OPCODE.close).then(() => peer.send(RawPeer.closeFrame(1000)))
      }
      for (const { closed } of sockets) await within(closed, 'the end')
      assert.ok(told.every((error) => error instanceof Error && typeof error.message === 'string'))
      if (isTold) assert.equal(told.length, names.length)
      assertQuiet()
    })
  }

  test('that answers with a frozen Error has told what is wrong with the message', async (t) => {
    const frozen = Object.freeze(new RangeError('too much'))
    const told: Error[] = []
    const app = await serve(t, {
      routes: (app) => {
        app.setValidatorCompiler(() => () => ({ error: frozen }))
        const route = {
          websocket: true as const,
          schema: { message: {} },
          onMessage: () => {},
          onInvalidMessage: (socket: LifecycleSocket, _request: unknown, error: Error) => {
            told.push(error)
            socket.close(4000)
          },
        }
        app.get('/', route, () => {})
      },
    })
    const peer = await RawPeer.open(portOf(app))
    peer.send(RawPeer.frame(OPCODE.text, '1'))
    assert.equal((await peer.nextOf(OPCODE.close))?.payload.readUInt16BE(), 4000)
    const [error] = told
    assert.equal(error?.message, 'too much')
    assert.equal(error?.cause, frozen)
    const { code, validationContext } = error as Error & Record<string, unknown>
    assert.deepEqual(
      { code, validationContext },
      { code: 'FST_ERR_VALIDATION', validationContext: 'message' },
    )
  })
})
