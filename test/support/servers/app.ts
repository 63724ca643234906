import type { AddressInfo } from 'node:net'
import type { TestContext } from 'node:test'
import type { FastifyInstance } from 'fastify'
import type { Clock } from '../../../lib/time/clock.js'
import { FakeClock } from '../time/fake-clock.js'
import { serverSockets } from './server-sockets.js'

/** Closes an app when the test is over, whatever the test left behind. */
export function endWith(t: TestContext, app: FastifyInstance, clock?: Clock): void {
  const sockets = serverSockets(app)
  t.after(async () => {
    for (const socket of sockets) socket.destroy()
    const closing = app.close()
    // A step that hangs waits for a clock that nobody else moves any more.
    if (clock instanceof FakeClock) await clock.advance(60_000)
    await closing
  })
}

export function portOf(app: FastifyInstance): number {
  return (app.server.address() as AddressInfo).port
}
