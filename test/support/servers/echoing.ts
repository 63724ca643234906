import assert from 'node:assert/strict'
import type { TestContext } from 'node:test'
import Fastify, { type FastifyInstance, type FastifyServerOptions } from 'fastify'
import { connect } from '../peers/connect.js'
import { endWith, portOf } from './server.js'

export function makeApp(t: TestContext, options?: FastifyServerOptions): FastifyInstance {
  const app = Fastify({ ...options })
  endWith(t, app)
  return app
}

/** Starts an app whose registrations may not have been awaited. */
export async function listen(app: FastifyInstance): Promise<{ port: number; url: string }> {
  await app.listen({ host: '127.0.0.1', port: 0 })
  return { port: portOf(app), url: `ws://127.0.0.1:${portOf(app)}` }
}

export function addEcho(app: FastifyInstance, path = '/ws'): void {
  app.get(path, { websocket: true }, (socket) => {
    socket.on('message', (data: Buffer) => socket.send(`echo ${data.toString()}`))
  })
}

export async function assertEchoes(url: string): Promise<void> {
  const peer = await connect(url)
  peer.send('hi')
  assert.equal(await peer.next(), 'echo hi')
  await peer.close()
}
