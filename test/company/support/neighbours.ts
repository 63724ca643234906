// Those who listen for upgrades on the same server: how each is attached, and how its own clients talk to it.
import assert from 'node:assert/strict'
import { once } from 'node:events'
import type { IncomingMessage, Server as HttpServer } from 'node:http'
import type { Duplex } from 'node:stream'
import { Server as SocketIo, type ServerOptions } from 'socket.io'
import { io, type ManagerOptions } from 'socket.io-client'
import { WebSocket, WebSocketServer } from 'ws'
import { within } from '../../support/time/bound.js'

export interface Neighbour {
  readonly attach: (server: HttpServer) => void
  /** Opens one connection to it, and talks. */
  readonly talk: (port: number) => Promise<void>
  /** What it makes of an upgrade that it does not know. */
  readonly others: 'left alone' | 'ended' | 'refused'
}

type Takes = (request: IncomingMessage) => boolean

/** After so long Socket.IO ends an upgrade that nobody has answered. */
export const DESTROY_UPGRADE_TIMEOUT = 20

function greet(socket: WebSocket): void {
  socket.on('message', (data: Buffer) => socket.send(`theirs ${data.toString()}`))
}

/** A listener of its own, as hand-written servers have one. */
function listen(takes: Takes, otherwise: (raw: Duplex) => void = () => {}): Neighbour['attach'] {
  return (server) => {
    const sockets = new WebSocketServer({ noServer: true })
    server.on('upgrade', (request: IncomingMessage, raw: Duplex, head: Buffer) => {
      if (takes(request)) sockets.handleUpgrade(request, raw, head, greet)
      else otherwise(raw)
    })
  }
}

function talkWs(path: string, protocol?: string): Neighbour['talk'] {
  return async (port) => {
    const client = new WebSocket(`ws://127.0.0.1:${port}${path}`, protocol)
    await within(once(client, 'open'), 'their 101')
    assert.equal(client.protocol, protocol ?? '')
    client.send('hi')
    const [answer] = (await within(once(client, 'message'), 'an answer')) as [Buffer]
    assert.equal(answer.toString(), 'theirs hi')
    client.close()
    await within(once(client, 'close'), 'a close')
  }
}

function socketIo(transports: NonNullable<ManagerOptions['transports']>): Neighbour {
  const server: Partial<ServerOptions> = {
    transports: ['polling', 'websocket'],
    destroyUpgradeTimeout: DESTROY_UPGRADE_TIMEOUT,
  }
  return {
    others: 'ended',
    attach: (http) => {
      new SocketIo(http, server).on('connection', (socket) => {
        socket.on('say', (text: string, answer: (text: string) => void) => answer(`theirs ${text}`))
      })
    },
    talk: async (port) => {
      const client = io(`http://127.0.0.1:${port}`, { transports, forceNew: true })
      try {
        const connected = new Promise((resolve, reject) => {
          client.on('connect', () => resolve(undefined)).on('connect_error', reject)
        })
        await within(connected, 'a connection')
        const { engine } = client.io
        if (engine.transport.name !== 'websocket') {
          await within(new Promise((resolve) => engine.once('upgrade', resolve)), 'the upgrade')
        }
        assert.equal(await client.timeout(10_000).emitWithAck('say', 'hi'), 'theirs hi')
        assert.equal(engine.transport.name, 'websocket')
      } finally {
        client.disconnect()
      }
    },
  }
}

export const isHmr: Takes = ({ headers }) => headers['sec-websocket-protocol'] === 'vite-hmr'

export const NEIGHBOURS: Readonly<Record<string, Neighbour>> = {
  'Socket.IO, over WebSockets alone': socketIo(['websocket']),
  'Socket.IO, from polling on': socketIo(['polling', 'websocket']),
  'a ws server without a server, and a listener for it': {
    others: 'left alone',
    attach: listen(({ url }) => url === '/theirs'),
    talk: talkWs('/theirs'),
  },
  // ws refuses whatever is not at its path: its documentation has `noServer` for where there are others.
  'a ws server with `server` and `path`': {
    others: 'refused',
    attach: (server) => {
      new WebSocketServer({ server, path: '/theirs' }).on('connection', greet)
    },
    talk: talkWs('/theirs'),
  },
  'an OCPP server': {
    others: 'left alone',
    attach: listen(
      ({ url = '', headers }) =>
        url.startsWith('/ocpp/') && headers['sec-websocket-protocol'] === 'ocpp1.6',
    ),
    talk: talkWs('/ocpp/charger-7', 'ocpp1.6'),
  },
  // As vite listens on the server that `server.hmr.server` names.
  "a dev server's listener for its own subprotocol": {
    others: 'left alone',
    attach: listen((request) => isHmr(request) && request.url === '/'),
    talk: talkWs('/', 'vite-hmr'),
  },
  // As the WsAdapter of Nest does.
  'a listener that destroys what it does not know': {
    others: 'ended',
    attach: listen(
      ({ url }) => url === '/theirs',
      (raw) => raw.destroy(),
    ),
    talk: talkWs('/theirs'),
  },
}
