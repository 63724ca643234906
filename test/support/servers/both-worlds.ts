import assert from 'node:assert/strict'
import { test, type TestContext } from 'node:test'
import fastifyWebsocket from '@fastify/websocket'
import Fastify, { type FastifyInstance, type FastifyRequest } from 'fastify'
import type { WebSocket } from 'ws'
import websocketLifecycle from '../../../lib/index.js'
import type { Peer } from '../../../lib/testing/index.js'
import { within } from '../time/bound.js'
import { endWith, portOf } from './server.js'

export interface World {
  readonly app: FastifyInstance
  /** What was noted, in order. */
  readonly events: string[]
  readonly note: (event: string) => void
  /** Resolves when so many events were noted. */
  readonly noted: (count: number) => Promise<void>
  readonly listen: () => Promise<string>
}

export async function makeWorld(
  t: TestContext,
  register: (app: FastifyInstance) => PromiseLike<unknown>,
): Promise<World> {
  const app = Fastify()
  endWith(t, app)
  await register(app)
  const events: string[] = []
  let wake: (() => void) | undefined
  return {
    app,
    events,
    note(event) {
      events.push(event)
      wake?.()
    },
    async noted(count) {
      while (events.length < count) {
        await within(
          new Promise<void>((resolve) => {
            wake = resolve
          }),
          `event ${count} after ${events.join(', ')}`,
        )
      }
    },
    async listen() {
      await app.listen({ host: '127.0.0.1', port: 0 })
      return `ws://127.0.0.1:${portOf(app)}`
    },
  }
}

/** Runs a scenario on @fastify/websocket and on the plugin: both must show what is expected. */
export function sameOnBoth(
  name: string,
  expected: unknown,
  scenario: (world: World, t: TestContext) => Promise<unknown>,
): void {
  test(name, async (t) => {
    const bare = await makeWorld(t, (app) => app.register(fastifyWebsocket))
    assert.deepEqual(await scenario(bare, t), expected, 'on @fastify/websocket')
    const ours = await makeWorld(t, (app) => app.register(websocketLifecycle))
    assert.deepEqual(await scenario(ours, t), expected, 'on fastify-websocket-lifecycle')
  })
}

/** Sends a message and takes the answer. */
export async function ask(peer: Peer, message: string): Promise<string | Buffer> {
  peer.send(message)
  return peer.next()
}

export function echo(socket: WebSocket): void {
  socket.on('message', (data: Buffer, isBinary: boolean) => socket.send(data, { binary: isBinary }))
}

export function sendUrl(socket: WebSocket, request: FastifyRequest): void {
  socket.send(request.url)
}
