import type { TestContext } from 'node:test'
import { FakeClock } from '../time/fake-clock.js'
import { type LogLine, logLines } from './log-lines.js'
import { type Connected, connectOne, type OneRoute } from './server.js'

interface Timed extends Connected {
  readonly clock: FakeClock
  readonly lines: LogLine[]
  readonly order: string[]
  readonly told: string[]
}

export const CLEANUP = 2_000

/** A connection on a clock of its own that notes what is handled, called and told. */
export async function connectTimed(t: TestContext, setup: OneRoute): Promise<Timed> {
  const clock = new FakeClock()
  const { lines, fastify } = logLines()
  const [order, told]: [string[], string[]] = [[], []]
  const connected = await connectOne(t, {
    ...setup,
    clock,
    fastify,
    options: { keepalive: false, cleanupTimeout: CLEANUP },
    route: {
      onClose: () => void order.push('close'),
      onHandlerError: (_socket, _request, error) => void told.push(error.message),
      ...setup.route,
    },
  })
  connected.socket.scope.defer(() => order.push('release'))
  return { ...connected, clock, lines, order, told }
}
