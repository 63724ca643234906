// Servers over https and http2: `this` and `request.raw` are theirs.
import Fastify from 'fastify'
import websocketLifecycle, { type LifecycleSocket } from 'fastify-websocket-lifecycle'
import type { Http2SecureServer, Http2ServerRequest } from 'node:http2'
import type { IncomingMessage } from 'node:http'
import type { Server } from 'node:https'
import { exactly } from './exactly.js'

const https = Fastify({ https: {} })
https.register(websocketLifecycle)
https.get(
  '/three',
  {
    websocket: true,
    onClose(socket, request) {
      exactly<Server>()(this.server)
      exactly<LifecycleSocket>()(socket)
      exactly<IncomingMessage>()(request.raw)
    },
  },
  function (socket, request) {
    exactly<Server>()(this.server)
    exactly<LifecycleSocket>()(socket)
    exactly<IncomingMessage>()(request.raw)
  },
)
https.get<{ Params: { id: string } }>('/two', {
  websocket: true,
  onShutdown(socket, request) {
    exactly<Server>()(this.server)
    exactly<{ id: string }>()(request.params)
  },
  handler(socket, request) {
    exactly<Server>()(this.server)
    exactly<LifecycleSocket>()(socket)
    exactly<{ id: string }>()(request.params)
  },
})
https.route({
  method: 'GET',
  url: '/both',
  handler: () => 'http',
  wsHandler(socket, request) {
    exactly<Server>()(this.server)
    exactly<LifecycleSocket>()(socket)
    exactly<IncomingMessage>()(request.raw)
  },
})

const http2 = Fastify({ http2: true, https: { allowHTTP1: true } })
http2.register(websocketLifecycle)
http2.get(
  '/three',
  {
    websocket: true,
    onUnexpectedClose(socket, request) {
      exactly<Http2SecureServer>()(this.server)
      exactly<LifecycleSocket>()(socket)
      exactly<Http2ServerRequest>()(request.raw)
    },
  },
  function (socket, request) {
    exactly<Http2SecureServer>()(this.server)
    exactly<LifecycleSocket>()(socket)
    exactly<Http2ServerRequest>()(request.raw)
  },
)
http2.get('/two', {
  websocket: true,
  handler(socket) {
    exactly<Http2SecureServer>()(this.server)
    exactly<LifecycleSocket>()(socket)
  },
})
http2.route({
  method: 'GET',
  url: '/route',
  websocket: true,
  handler(socket, request) {
    exactly<Http2SecureServer>()(this.server)
    exactly<LifecycleSocket>()(socket)
    exactly<Http2ServerRequest>()(request.raw)
  },
})
