import assert from 'node:assert/strict'
import type { IncomingMessage } from 'node:http'
import type { Duplex } from 'node:stream'
import { test } from 'node:test'
import type { WebSocket } from 'ws'
import { LinkPeer } from '../support/peers/link-peer.js'
import { RawPeer } from '../support/peers/raw-peer.js'
import { portOf } from '../support/servers/server.js'
import { serveSessions } from '../support/servers/with-sessions.js'
import { until } from '../support/time/timed.js'

test('the app sees what it would have been offered, and nothing of the link', async (t) => {
  const seen: unknown[] = []
  const { url } = await serveSessions(t, {
    options: {
      keepalive: false,
      ignoreUpgrade: ({ headers, rawHeaders }) => {
        seen.push(headers['sec-websocket-protocol'], rawHeaders.join(' ').includes('wsl.'))
        return false
      },
    },
    before: (app) => {
      app.addHook('onRequest', async ({ headers, raw }) => {
        seen.push(headers['sec-websocket-protocol'], raw.rawHeaders.join(' ').includes('wsl.'))
      })
    },
  })
  const first = await LinkPeer.confirmed(url, { protocols: ['chat.v2', 'chat.v1'] })
  const both = 'chat.v2, chat.v1'
  assert.deepEqual(seen.splice(0), [both, false, both, false])
  assert.equal(first.ws.protocol, 'wsl.1.chat.v2')
  await LinkPeer.connect(url, { resume: { attempt: 1, received: 0, token: 'x' } })
  assert.deepEqual(seen.splice(0), [undefined, false, undefined, false])
})

test('handleProtocols chooses among the names of the app; where it chooses none there is still a link', async (t) => {
  const asked: string[][] = []
  const { url, sessions } = await serveSessions(t, {
    options: {
      keepalive: false,
      websocket: {
        handleProtocols: (offered) => {
          asked.push([...offered])
          return offered.has('chat.v1') ? 'chat.v1' : false
        },
      },
    },
  })
  const peer = await LinkPeer.confirmed(url, { protocols: ['chat.v2', 'chat.v1'] })
  assert.deepEqual(asked, [['chat.v2', 'chat.v1']])
  assert.equal(peer.ws.protocol, 'wsl.1.chat.v1')
  assert.equal(sessions[0]?.protocol, 'chat.v1')
  const none = await LinkPeer.connect(url, { raw: ['wsl.1', 'wsl.1.other'] })
  assert.equal(none.ws.protocol, 'wsl.1')
})

test('a name that is offered with the link and without it gets the answer that was offered', async (t) => {
  const { url, sessions } = await serveSessions(t)
  const plain = new LinkPeer(url, { raw: ['chat', 'wsl.1.other'] })
  await new Promise((resolve) => plain.ws.once('open', resolve))
  assert.equal(plain.ws.protocol, 'chat')
  assert.equal(sessions[0]?.protocol, 'chat')
  const linked = await LinkPeer.connect(url, { raw: ['wsl.1.chat', 'chat'] })
  assert.equal(linked.ws.protocol, 'wsl.1.chat')
})

test('an upgrade that is somebody else’s gets its headers back as they came, line by line', async (t) => {
  const { app } = await serveSessions(t)
  const seen = new Promise<IncomingMessage>((resolve) => {
    app.server.on('upgrade', (message: IncomingMessage, raw: Duplex) => {
      raw.end('HTTP/1.1 418 Theirs\r\n\r\n')
      resolve(message)
    })
  })
  const lines = ['wsl.1, chat', 'wsl.r.1.0.token']
  const handshake = RawPeer.handshake(portOf(app), '/theirs').replace(
    '\r\n',
    `\r\n${lines.map((line) => `Sec-WebSocket-Protocol: ${line}\r\n`).join('')}`,
  )
  const peer = await RawPeer.dialWith(portOf(app), handshake)
  const { headers, headersDistinct, rawHeaders } = await seen
  peer.destroy()
  assert.equal(headers['sec-websocket-protocol'], lines.join(', '))
  assert.deepEqual(headersDistinct['sec-websocket-protocol'], lines)
  assert.deepEqual(
    rawHeaders.filter((_, at) => rawHeaders[at - 1] === 'Sec-WebSocket-Protocol'),
    lines,
  )
})

test('app.injectWS can speak the link too, though its requests have no raw headers', async (t) => {
  const { app } = await serveSessions(t, {
    handler: (session) => void session.send(session.protocol),
  })
  const got: string[] = []
  const open = (offer: string): Promise<WebSocket> =>
    app.injectWS(
      '/ws/7',
      { headers: { 'sec-websocket-protocol': offer } },
      {
        onInit: (socket: WebSocket) => {
          socket.on('message', (data: Buffer) => got.push(data.toString().slice(0, 2)))
        },
      },
    )
  for (const offer of ['wsl.1', 'wsl.1.chat']) {
    const socket = await open(offer)
    await until(() => got.length >= 2)
    socket.terminate()
    assert.deepEqual(got.splice(0), ['\0w', offer === 'wsl.1' ? '' : 'ch'])
  }
})
