import type { TestContext } from 'node:test'
import type { FastifyInstance, FastifyRequest } from 'fastify'
import type {
  CloseInfo,
  LifecycleSession,
  SessionRouteOptions,
  WebsocketLifecycleOptions,
} from '../../../lib/index.js'
import { within } from '../time/bound.js'
import { FakeClock } from '../time/fake-clock.js'
import { portOf, serve, type Setup } from './server.js'

/** A server with the route `/ws/:room`, whose sessions survive their connections. */
export interface WithSessions {
  readonly app: FastifyInstance
  readonly clock: FakeClock
  readonly port: number
  readonly url: string
  /** What happened, in order: `handler`, `message ...`, `suspend ...`, `resume`, `close ...`, `abort`, `release`. */
  readonly events: string[]
  readonly sessions: LifecycleSession[]
  readonly closes: CloseInfo[]
  /** Resolves when an event was noted that begins so. */
  readonly noted: (event: string, count?: number) => Promise<void>
}

export interface SessionSetup extends Setup {
  readonly route?: Partial<SessionRouteOptions>
  readonly handler?: (session: LifecycleSession, request: FastifyRequest) => unknown
}

/** The key of a request: its header `x-user`, nobody without one. */
export function keyOf(request: FastifyRequest): string | null {
  return request.headers['x-user']?.toString() ?? null
}

export const WINDOW = 60_000

/** Its time is moved by the test alone. */
export async function serveSessions(
  t: TestContext,
  setup: SessionSetup = {},
): Promise<WithSessions> {
  const clock = new FakeClock()
  const events: string[] = []
  const sessions: LifecycleSession[] = []
  const closes: CloseInfo[] = []
  const wakes = new Set<() => void>()
  const note = (event: string): void => {
    events.push(event)
    for (const wake of wakes) wake()
  }
  const options: WebsocketLifecycleOptions = { keepalive: false, ...setup.options }
  const app = await serve(t, {
    clock,
    ...setup,
    options,
    routes: (instance) => {
      instance.get(
        '/ws/:room',
        {
          websocket: true,
          resume: { key: keyOf, window: WINDOW },
          onMessage: (_session, _request, message) => note(`message ${message.toString()}`),
          onSuspend: (_session, _request, { cause }) => note(`suspend ${cause}`),
          onResume: () => note('resume'),
          onClose: (_session, _request, close) => {
            closes.push(close)
            note(`close ${close.cause}`)
          },
          ...setup.route,
        },
        (session, request) => {
          sessions.push(session)
          session.scope.signal.addEventListener('abort', () => note('abort'))
          session.scope.defer(() => note('release'))
          note('handler')
          return setup.handler?.(session, request)
        },
      )
      setup.routes?.(instance)
    },
  })
  const port = portOf(app)
  const noted = async (event: string, count = 1): Promise<void> => {
    const isThere = (): boolean => events.filter((each) => each.startsWith(event)).length >= count
    const waiting = new Promise<void>((resolve) => {
      const wake = (): void => {
        if (!isThere()) return
        wakes.delete(wake)
        resolve()
      }
      wakes.add(wake)
      wake()
    })
    await within(waiting, `${count} times ${event} after ${events.join(', ')}`)
  }
  const url = `ws://127.0.0.1:${port}/ws/7`
  return { app, clock, port, url, events, sessions, closes, noted }
}
