// Internals of node and ws that may be missing.
import assert from 'node:assert/strict'
import { once } from 'node:events'
import {
  createServer as createHttpServer,
  type IncomingMessage,
  type ServerResponse,
} from 'node:http'
import { createRequire } from 'node:module'
import { type AddressInfo, connect as connectNet } from 'node:net'
import { test } from 'node:test'
import { WebSocket, type WebSocketServer } from 'ws'
import { isResponding, responseOf } from '../../lib/platform/node-internals.js'
import {
  abandonReceiver,
  guardReceiver,
  hasMoreRead,
  isParsing,
  isReading,
  keepParts,
  whenParsed,
} from '../../lib/platform/ws-receiver.js'
import { thresholdOf, windowBitsOf } from '../../lib/platform/ws-deflate.js'
import {
  dropUnprepared,
  isBetweenMessages,
  isPreparing,
  isQueued,
  queuedFrames,
} from '../../lib/platform/ws-sender.js'
import {
  closeCodeReceived,
  forgetCloseFrame,
  ignoresPieces,
  isCloseFrameReceived,
} from '../../lib/platform/ws-socket.js'
import { endServer } from '../support/servers/end-server.js'

test('of a socket that keeps its internals to itself, or has none yet, nothing is known', () => {
  const payload = Buffer.alloc(0)
  const unborn = new WebSocket(null as never, undefined, {})
  for (const socket of [unborn, {}, { _sender: {} }] as WebSocket[]) {
    assert.equal(isCloseFrameReceived(socket), false)
    assert.equal(closeCodeReceived(socket), undefined)
    assert.equal(isParsing(socket), false)
    assert.equal(whenParsed(socket), undefined)
    assert.equal(isReading(socket), false)
    assert.equal(hasMoreRead(socket), false)
    assert.equal(isBetweenMessages(socket), false)
    assert.equal(queuedFrames(socket), 0)
    assert.equal(windowBitsOf(socket), 0)
    assert.equal(thresholdOf(socket), 0)
    assert.equal(isQueued(socket, payload), false)
    assert.equal(isPreparing(socket), false)
    assert.equal(dropUnprepared(socket, new Error('gone')), 0)
    assert.doesNotThrow(() => {
      keepParts(socket)
      guardReceiver(Object.assign(socket, { parse: () => {} }))
      abandonReceiver(socket)
      forgetCloseFrame(socket)
    })
  }
  assert.equal(
    dropUnprepared({ _sender: { _state: 1 } } as unknown as WebSocket, new Error('gone')),
    0,
  )
})

test('node: a response belongs to its socket until its end is written', async (t) => {
  const server = createHttpServer().listen(0, '127.0.0.1')
  await once(server, 'listening')
  const { port } = server.address() as AddressInfo
  const far = connectNet(port, '127.0.0.1')
  endServer(t, server, far)
  far.write('GET / HTTP/1.1\r\nhost: x\r\n\r\n')
  const [{ socket }, response] = (await once(server, 'request')) as [
    IncomingMessage,
    ServerResponse,
  ]
  assert.equal(isResponding(socket), true)
  assert.equal(responseOf(socket), response)
  response.end()
  await once(response, 'finish')
  assert.equal(isResponding(socket), false)
})

test('whether a ws knows limits for the pieces of a message is seen in its source', () => {
  const require = createRequire(import.meta.url)
  for (const [found, isLax] of [
    [require('ws'), false],
    [require('ws-8.22'), false],
    [require('ws-8.18'), true],
  ] as Array<[{ prototype: WebSocket; Server: typeof WebSocketServer }, boolean]>) {
    assert.equal(ignoresPieces(found.prototype), isLax)
    assert.equal(ignoresPieces(new found.Server({ noServer: true })), isLax)
  }
  // As of code that was compiled ahead, or wrapped.
  assert.equal(ignoresPieces({ setSocket: () => {} } as never), false)
})
