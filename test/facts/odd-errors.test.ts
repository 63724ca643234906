import assert from 'node:assert/strict'
import { once } from 'node:events'
import { test } from 'node:test'
import { OPCODE, RawPeer } from '../support/peers/raw-peer.js'
import { connectOne, serveOne } from '../support/servers/server.js'

test('an error that cannot be read ends its connection like any other, and leaves its message', async (t) => {
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
  const { cause, error } = await socket.closed
  assert.equal(cause, 'handler-error')
  assert.equal(error?.message, 'An Error that cannot be read was thrown: odd')
  assert.deepEqual(told, [error])
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

test('an Error that is frozen is what the hooks and the record of the end get', async (t) => {
  const frozen: Error = Object.freeze(new Error('of the app'))
  const told: Error[] = []
  const { peer, socket } = await connectOne(t, {
    route: {
      onHandlerError: (_socket, _request, error) => {
        told.push(error)
      },
    },
    handler: () => {
      throw frozen
    },
  })
  await peer.nextOf(OPCODE.close)
  peer.reset()
  assert.equal((await socket.closed).error, frozen)
  assert.deepEqual(told, [frozen])
})

test('a release that does not tell its name runs, and so do all others', async (t) => {
  const ran: string[] = []
  const { peer, socket } = await connectOne(t)
  const { proxy, revoke } = Proxy.revocable(() => {}, {})
  const nameless = (): unknown => ran.push('nameless')
  Object.defineProperty(nameless, 'name', {
    get: () => {
      throw new Error('no name for you')
    },
  })
  socket.scope.defer(() => ran.push('first'))
  socket.scope.defer(nameless)
  socket.scope.defer(proxy)
  revoke()
  peer.reset()
  await socket.closed
  assert.deepEqual(ran, ['nameless', 'first'])
})

test('an app that destroys the raw stream with what is no Error leaves an Error', async (t) => {
  const { socket } = await connectOne(t)
  socket.request.raw.socket.destroy('the app' as unknown as Error)
  const { cause, error } = await socket.closed
  assert.equal(cause, 'connection-reset')
  assert.equal(error?.message, 'A value that is no Error was thrown: string')
})
