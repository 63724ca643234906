import assert from 'node:assert/strict'
import { test } from 'node:test'
import { logLines } from '../support/servers/log-lines.js'
import { OPCODE, RawPeer } from '../support/peers/raw-peer.js'
import { serveOne } from '../support/servers/server.js'

const thrown = new Error('of the app')

for (const name of ['verifyClient', 'handleProtocols']) {
  test(`a ${name} that throws ends the socket at once, and is logged`, async (t) => {
    const { lines, fastify } = logLines()
    const { app, port } = await serveOne(t, {
      fastify,
      options: {
        websocket: {
          [name]: () => {
            throw thrown
          },
        },
      },
    })
    const peer = await RawPeer.dial(port, '/', { 'sec-websocket-protocol': 'chat' })
    await assert.rejects(peer.answer(), /No whole answer/)
    assert.equal(app.websocketLifecycle.stats().opened, 0)
    assert.ok(lines.some((line) => JSON.stringify(line).includes(thrown.message)))
  })
}

test("a listener on websocketServer's 'connection' that throws ends that connection", async (t) => {
  const told: Error[] = []
  const { app, port, closes } = await serveOne(t, {
    route: {
      onHandlerError: (_socket, _request, error) => {
        told.push(error)
      },
      onClose: (_socket, _request, close) => {
        closes.push(close)
      },
    },
  })
  app.websocketServer.on('connection', () => {
    throw thrown
  })
  const peer = await RawPeer.open(port)
  const [socket] = app.websocketLifecycle.connections
  const frame = await peer.nextOf(OPCODE.close)
  assert.equal(frame?.payload.readUInt16BE(0), 1011)
  peer.send(RawPeer.closeFrame(1011))
  assert.equal((await socket?.closed)?.cause, 'handler-error')
  assert.deepEqual(told, [thrown])
})

const later = (_info: unknown, callback: (isWelcome: boolean) => void): void => {
  setImmediate(callback, true)
}

for (const [how, maxConnections] of [
  ['that would open', Infinity],
  ['that would be closed', 0],
] as const) {
  test(`a throw of handleProtocols after verifyClient ends a handshake ${how}`, async (t) => {
    const { lines, fastify } = logLines()
    const { app, port } = await serveOne(t, {
      fastify,
      options: {
        refuse: 'close-frame',
        maxConnections,
        websocket: {
          verifyClient: later,
          handleProtocols: () => {
            throw thrown
          },
        },
      },
    })
    const peer = await RawPeer.dial(port, '/', { 'sec-websocket-protocol': 'chat' })
    await assert.rejects(peer.answer(), /No whole answer/)
    assert.equal(app.websocketLifecycle.stats().opened, 0)
    assert.ok(lines.some((line) => JSON.stringify(line).includes(thrown.message)))
  })
}

test("behind an async verifyClient, a listener on 'connection' that throws ends that connection", async (t) => {
  const { app, port, closes } = await serveOne(t, {
    options: { websocket: { verifyClient: later } },
  })
  app.websocketServer.on('connection', () => {
    throw thrown
  })
  const peer = await RawPeer.open(port)
  const [socket] = app.websocketLifecycle.connections
  assert.equal((await peer.nextOf(OPCODE.close))?.payload.readUInt16BE(0), 1011)
  peer.send(RawPeer.closeFrame(1011))
  assert.equal((await socket?.closed)?.cause, 'handler-error')
  assert.equal(closes.length, 1)
})
