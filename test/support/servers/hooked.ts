import assert from 'node:assert/strict'
import type { TestContext } from 'node:test'
import Fastify, { type FastifyInstance, type FastifyRequest } from 'fastify'
import { type ConnectionScope, ConnectionClosedError } from '../../../lib/index.js'
import { createPlugin } from '../../../lib/plugin/plugin.js'
import { FakeClock } from '../time/fake-clock.js'
import { gate } from '../time/gate.js'
import { endWith, portOf } from './server.js'

export interface Hooked {
  readonly app: FastifyInstance
  readonly port: number
  /** What happened, in order. */
  readonly events: string[]
  /** Resolves when the request's scope is there. */
  readonly scope: Promise<ConnectionScope>
  /** Resolves when its releases have run. */
  readonly released: Promise<void>
}

/** An app whose hook, added before the plugin, takes the scope and then does as it is told. */
export async function serveHooked(
  t: TestContext,
  act: (request: FastifyRequest) => unknown,
  where: 'before' | 'after' = 'before',
): Promise<Hooked> {
  const events: string[] = []
  const released = gate()
  let give: ((scope: ConnectionScope) => void) | undefined
  const scope = new Promise<ConnectionScope>((resolve) => {
    give = resolve
  })
  const app = Fastify()
  endWith(t, app)
  const hook = async (request: FastifyRequest): Promise<void> => {
    const { wsScope } = request
    assert.ok(wsScope)
    wsScope.signal.addEventListener('abort', () => events.push('abort'))
    wsScope.defer(() => {
      events.push('release')
      released.open()
    })
    give?.(wsScope)
    await act(request)
  }
  if (where === 'before') app.addHook('onRequest', hook)
  // No deadline may strike: what ends here ends by itself.
  await app.register(createPlugin(new FakeClock()))
  const onRequest = where === 'after' ? hook : async (): Promise<void> => {}
  app.get('/', { websocket: true, onRequest, onClose: () => void events.push('onClose') }, () => {
    events.push('handler')
  })
  app.get('/plain', () => 'hello')
  await app.listen({ host: '127.0.0.1', port: 0 })
  return { app, port: portOf(app), events, scope, released: released.opened }
}

export function assertNeverOpened(reason: unknown): void {
  assert.ok(reason instanceof ConnectionClosedError)
  assert.equal(reason.code, 'FST_ERR_WSL_CONNECTION_CLOSED')
  assert.equal(reason.closeCause, undefined)
}
