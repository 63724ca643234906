import Fastify, { type FastifyBaseLogger } from 'fastify'
import type { IncomingMessage, ServerResponse } from 'node:http'
import type { Server } from 'node:https'
import type { TypeBoxTypeProvider } from '@fastify/type-provider-typebox'
import websocketLifecycle from 'fastify-websocket-lifecycle'
import {
  connect,
  type Link,
  link,
  type ManualClock,
  manualClock,
  nothingLeft,
  type ParsingPeerOptions,
  type Peer,
  type PeerClose,
  type PeerOptions,
  type PeerTarget,
  SomethingLeftError,
  stallEventLoop,
  type TestApp,
  UpgradeRefusedError,
} from 'fastify-websocket-lifecycle/testing'
import { exactly } from './exactly.js'

export async function tests(): Promise<void> {
  const app = Fastify()
  exactly<ManualClock>()(manualClock(app))
  void app.register(websocketLifecycle)
  const peer = await connect(app, '/', { headers: { cookie: 'a=b' }, protocols: ['chat'] })
  exactly<Peer>()(peer)
  exactly<string | Buffer>()(await peer.next())
  exactly<PeerClose>()(await peer.closed)
  exactly<PeerClose>()(await peer.close(4000, 'bye'))
  peer.timeout = 100
  for await (const message of peer) exactly<string | Buffer>()(message)

  const parsing = await connect<{ n: number }>(app, '/', { parse: JSON.parse })
  exactly<{ n: number }>()(await parsing.next({ timeout: 1 }))
  const inferred = await connect('ws://127.0.0.1:3000', undefined, { parse: Number })
  exactly<number>()(await inferred.next())
  for await (const message of inferred) exactly<number>()(message)

  const line = await link(app)
  exactly<Link>()(line)
  exactly<Peer>()(await connect(line))
  exactly<Peer>()(await connect(new URL(line.url)))
  exactly<void>()(await nothingLeft(app, { timeout: 100 }))
  const clock = manualClock(app)
  exactly<{ a: number }>()(await clock.until(Promise.resolve({ a: 1 })))
  stallEventLoop(1)

  const secure = Fastify({ https: {} }).withTypeProvider<TypeBoxTypeProvider>()
  exactly<Peer>()(await connect(secure))
  void nothingLeft(secure)
  void link(Fastify<Server, IncomingMessage, ServerResponse, FastifyBaseLogger>({ https: {} }))

  // @ts-expect-error
  void connect(app, '/', { header: {} })
  // @ts-expect-error
  peer.send({ a: 1 })
  // @ts-expect-error
  void connect({ server: undefined })
}

export function errors(error: unknown): void {
  if (error instanceof UpgradeRefusedError) exactly<number>()(error.status)
  if (error instanceof SomethingLeftError) exactly<readonly string[]>()(error.left)
}

export const options: PeerOptions = { timeout: Infinity, tls: { ca: '' } }
export const parsed: ParsingPeerOptions<number> = { ...options, parse: Number }
export const targets = (app: TestApp): PeerTarget[] => [app, 'ws://127.0.0.1', new URL('ws://a')]
