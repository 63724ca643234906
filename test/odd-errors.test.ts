import assert from 'node:assert/strict'
import { once } from 'node:events'
import { test } from 'node:test'
import { OPCODE, RawPeer } from './support/raw-peer.js'
import { serveOne } from './support/server.js'

test('an error that cannot be logged ends its connection like any other', async (t) => {
  const told: Error[] = []
  const odd = new Error('odd')
  Object.defineProperty(odd, 'stack', {
    get: () => {
      throw new Error('no stack for you')
    },
  })
  const { port, nextSocket } = await serveOne(t, {
    fastify: { logger: { stream: { write: () => {} } } },
    route: {
      onHandlerError: (_socket, _request, error) => {
        told.push(error)
      },
    },
    handler: async () => {
      throw odd
    },
  })
  const peer = await RawPeer.open(port)
  const socket = await nextSocket()
  const frame = await peer.nextOf(OPCODE.close)
  assert.equal(frame?.payload.readUInt16BE(0), 1011)
  peer.send(RawPeer.closeFrame(1011))
  assert.equal((await socket.closed).cause, 'handler-error')
  assert.deepEqual(told, [odd])
})

test('a logger that throws keeps no release from running, and no connection from its end', async (t) => {
  const released: string[] = []
  const lines: string[] = []
  const { app, port, nextSocket } = await serveOne(t, {
    fastify: {
      logger: {
        stream: {
          write: (line: string) => {
            lines.push(line)
            if (line.includes('WebSocket')) throw new Error('the disk is full')
          },
        },
      },
    },
    handler: (socket) => {
      socket.scope.defer(() => released.push('first'))
      socket.scope.defer(() => {
        throw new Error('of a release')
      })
    },
  })
  const peer = await RawPeer.open(port)
  const socket = await nextSocket()
  peer.reset()
  assert.equal((await socket.closed).cause, 'connection-reset')
  assert.deepEqual(released, ['first'])
  assert.ok(lines.length > 2)
  assert.equal(app.websocketLifecycle.connections.size, 0)
})

test('a signal may be handed to any number of operations', async (t) => {
  const warnings: Error[] = []
  const onWarning = (warning: Error): void => void warnings.push(warning)
  process.on('warning', onWarning)
  t.after(() => process.off('warning', onWarning))
  const { port, nextSocket } = await serveOne(t)
  const peer = await RawPeer.open(port)
  const { scope, closed } = await nextSocket()
  const aborted = Array.from({ length: 30 }, async () => once(scope.signal, 'abort'))
  peer.reset()
  await Promise.all([...aborted, closed])
  assert.deepEqual(warnings, [])
})
