import assert from 'node:assert/strict'
import type { TestContext } from 'node:test'
import type { FastifyInstance, FastifyRequest } from 'fastify'
import type {
  CloseInfo,
  LifecycleSession,
  Message,
  WebsocketLifecycleOptions,
} from '../../../lib/index.js'
import { isMessage, messageOf } from '../models/chaos-messages.js'
import { turns } from '../time/fake-clock.js'
import { fastClock } from '../time/fast-time.js'
import { portOf, serve } from './server.js'

/** What a session of the server has seen. It sends `down <name>`, and gets `up <name>`. */
export class SessionLog {
  readonly name: string
  readonly session: LifecycleSession
  /** Number of messages that it has sent, and that were handled. */
  sent = 0
  handled = 0
  /** `suspend` and `resume`, as their hooks began. */
  readonly gaps: string[] = []
  readonly closes: CloseInfo[] = []
  /** What should never happen. */
  readonly faults: string[] = []
  #isInHook = false

  constructor(name: string, session: LifecycleSession) {
    this.name = name
    this.session = session
  }

  get isOver(): boolean {
    return this.closes.length > 0
  }

  handle(message: string | Buffer): void {
    const number = ++this.handled
    if (!isMessage(`up ${this.name}`, number, message)) this.faults.push(`not message ${number}`)
    if (this.#isInHook && this.gaps.at(-1) === 'resume') this.faults.push('handled before onResume')
  }

  /** Sends one message after the other, as long as it should. */
  async send(goesOn: () => boolean): Promise<void> {
    while ((await this.session.drained()) && goesOn()) {
      const message = messageOf(`down ${this.name}`, this.sent + 1)
      this.session.send(message)
      this.sent++
      if (this.sent % 8 === 0) await turns(3)
    }
  }

  /** A hook of a gap runs, for a while. */
  async gap(what: 'suspend' | 'resume'): Promise<void> {
    const expected = this.gaps.length % 2 === 0 ? 'suspend' : 'resume'
    if (what !== expected) this.faults.push(`${what} where ${expected} should be`)
    if (this.#isInHook) this.faults.push(`${what} while another hook runs`)
    if (this.isOver) this.faults.push(`${what} after onClose`)
    this.gaps.push(what)
    this.#isInHook = true
    await turns(this.gaps.length % 7)
    this.#isInHook = false
  }

  over(close: CloseInfo): void {
    if (this.#isInHook) this.faults.push('onClose while another hook runs')
    this.closes.push(close)
  }
}

export interface ChaosServer {
  readonly app: FastifyInstance
  readonly port: number
  readonly logs: SessionLog[]
  /** The log of a session that has not ended, by the name of its client. */
  readonly of: (name: string) => SessionLog | undefined
}

export interface ChaosSetup {
  readonly speed: number
  /** Whether sessions go on to send. */
  readonly goesOn: () => boolean
  /** Whether boxes are small, messages are compressed, and a loop over `messages()` reads them. */
  readonly isTight?: boolean
}

const TIGHT: WebsocketLifecycleOptions = {
  websocket: { perMessageDeflate: { threshold: 64 } },
  inbox: { maxMessages: 2, maxBytes: 3_000 },
  outbox: { maxAge: false, highWaterMark: 2_000, maxBytes: 150_000 },
}

/** A server whose sessions send, and check what they get. Its time runs fast, but for what must not end. */
export async function serveChaos(
  t: TestContext,
  { speed, goesOn, isTight = false }: ChaosSetup,
): Promise<ChaosServer> {
  const logs: SessionLog[] = []
  const bySession = new Map<LifecycleSession, SessionLog>()
  const logOf = (session: LifecycleSession): SessionLog => {
    const log = bySession.get(session)
    assert.ok(log, 'a hook before the handler')
    return log
  }
  const handle = async (session: LifecycleSession, _: unknown, message: Message): Promise<void> => {
    const log = logOf(session)
    log.handle(message)
    // Some take their time, so that the inbox fills up.
    if (log.handled % 16 === 0) await turns(4)
  }
  const readAll = async (session: LifecycleSession): Promise<void> => {
    for await (const message of session.messages()) await handle(session, undefined, message)
  }
  const app = await serve(t, {
    clock: fastClock(speed),
    options: {
      keepalive: { interval: 8_000, timeout: 8_000 },
      cleanupTimeout: 3_600_000,
      handshakeTimeout: 600_000,
      outbox: { maxAge: false },
      ...(isTight ? TIGHT : {}),
    },
    routes: (instance) => {
      instance.get(
        '/:name',
        {
          websocket: true,
          resume: { key: nameOf, window: 86_400_000 },
          ...(isTight ? {} : { onMessage: handle }),
          onSuspend: (session) => logOf(session).gap('suspend'),
          onResume: (session) => logOf(session).gap('resume'),
          onClose: (session, _request, close) => logOf(session).over(close),
        },
        (session, request) => {
          const log = new SessionLog(nameOf(request), session)
          bySession.set(session, log)
          logs.push(log)
          void log.send(goesOn)
          if (isTight) void readAll(session)
        },
      )
    },
  })
  const of = (name: string): SessionLog | undefined =>
    logs.findLast((log) => log.name === name && !log.isOver)
  return { app, port: portOf(app), logs, of }
}

function nameOf(request: FastifyRequest): string {
  return String((request.params as { readonly name?: string }).name)
}
