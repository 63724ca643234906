import { setTimeout as wait } from 'node:timers/promises'
import type { FastifyInstance, FastifyRequest } from 'fastify'
import type { CloseInfo, LifecycleSession } from '../../../../lib/index.js'
import { isMessage, messageOf } from '../../../support/models/chaos-messages.js'
import { RESUME_WINDOW } from '../timings.js'
import type { SessionRecord } from './config.js'
import type { Duties } from './duties.js'

/** The name of all sessions of peers that misbehave. */
const WILD = 'wild'
/** How often a session sends, in ms. */
const EVERY = 250

/** One session: it sends `down <name>`, and expects `up <name>`, in order. */
class Log {
  readonly name: string
  sent = 0
  handled = 0
  resumes = 0
  close: CloseInfo | undefined
  #isAway = false
  readonly #duties: Duties

  constructor(name: string, duties: Duties) {
    this.name = name
    this.#duties = duties
  }

  get record(): SessionRecord {
    const { close, handled, name, resumes, sent } = this
    if (close === undefined) return { name, sent, handled, resumes }
    const { cause, messagesReceived: received, unacknowledged } = close
    return { name, sent, handled, resumes, cause, received, unacknowledged }
  }

  handle(message: string | Buffer): void {
    const number = ++this.handled
    // Whoever misbehaves may say anything.
    if (this.name === WILD) return
    if (isMessage(`up ${this.name}`, number, message)) return
    this.#fault(`message ${number} is another one`)
  }

  gap(isAway: boolean): void {
    if (isAway === this.#isAway) this.#fault('onSuspend and onResume do not take turns')
    if (this.close !== undefined) this.#fault('a hook of a gap after onClose')
    this.#isAway = isAway
    if (!isAway) this.resumes++
  }

  /** As long as the storm lasts. */
  async send(session: LifecycleSession): Promise<void> {
    const { storm } = this.#duties
    while (storm.isOn && (await session.drained())) {
      session.send(messageOf(`down ${this.name}`, ++this.sent))
      await wait(EVERY * (0.5 + storm.random()))
    }
  }

  #fault(text: string): void {
    this.#duties.accounts.fault(`session ${this.name}: ${text}`)
  }
}

/** @returns what all sessions have seen */
export function addSessionRoute(app: FastifyInstance, duties: Duties): () => SessionRecord[] {
  const { storm } = duties
  const logs: Log[] = []
  const bySession = new WeakMap<LifecycleSession, Log>()
  const logOf = (session: LifecycleSession): Log => {
    const log = bySession.get(session)
    if (log === undefined) throw new Error('Expected the handler before any hook')
    return log
  }
  app.get(
    '/session/:name',
    {
      websocket: true,
      resume: { key: nameOf, window: RESUME_WINDOW },
      inbox: { maxMessages: 4 },
      async onMessage(session, _request, message) {
        logOf(session).handle(message)
        if (storm.has(0.1)) await storm.pause(50)
      },
      async onSuspend(session) {
        logOf(session).gap(true)
        if (storm.has(0.3)) await storm.pause(100)
      },
      async onResume(session) {
        logOf(session).gap(false)
        if (storm.has(0.3)) await storm.pause(100)
      },
      onClose(session, _request, close) {
        logOf(session).close = close
      },
    },
    (session, request) => {
      const log = new Log(nameOf(request), duties)
      bySession.set(session, log)
      if (log.name !== WILD) logs.push(log)
      duties.opened(session, request)
      void log.send(session)
    },
  )
  return () => logs.map(({ record }) => record)
}

function nameOf({ params }: FastifyRequest): string {
  return (params as { name: string }).name
}
