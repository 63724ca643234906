// All who look on: events, spans, metrics, the log, and what the process tells of faults.
import { subscribe } from 'node:diagnostics_channel'
import process from 'node:process'
import { MeterProvider, MetricReader } from '@opentelemetry/sdk-metrics'
import { NodeTracerProvider, type SpanProcessor } from '@opentelemetry/sdk-trace-node'
import type { LifecycleEventName, LifecycleEvents } from '../../../../lib/index.js'
import { LOG_LINES } from '../../../../lib/facts/log-lines.js'
import { Tally } from '../tally.js'
import type { Accounts } from './accounts.js'

/** No line that the plugin logs is longer. */
const LONGEST_LINE = 1_024
const ERROR = 50

/** The moments that each connection tells, once each and in this order. */
const MOMENTS = [
  'connection.opened',
  'connection.closing',
  'connection.closed',
  'connection.released',
] as const

const OTHERS = [
  'upgrade.started',
  'upgrade.lost',
  'session.interrupted',
  'session.resumed',
  'session.reset',
  'reading.paused',
  'outbox.stuck',
  'messages.dropped',
  'peer.pinged',
  'peer.ponged',
  'verdict.averted',
  'callback.failed',
  'drain.begun',
  'drain.ended',
  'diagnosis.storm',
  'diagnosis.idle-timeout',
  'diagnosis.mute-peers',
] as const

/** What events tell. */
export class Events {
  readonly counts = new Tally()
  readonly refused = new Tally()
  /** Steps that took too long, by name. */
  readonly overran = new Tally()
  /** The longest stall, and what it was. */
  worst: { readonly lateness: number; readonly during: unknown } = {
    lateness: 0,
    during: undefined,
  }
  /** By id, how many of its moments a connection has told. */
  readonly #told = new Map<string, number>()
  readonly #accounts: Accounts

  constructor(accounts: Accounts) {
    this.#accounts = accounts
    for (const [moment, name] of MOMENTS.entries()) {
      this.#listen(name, ({ id, route }) => this.#tell(moment, id, route))
    }
    this.#listen('upgrade.refused', ({ reason }) => this.refused.add(reason))
    this.#listen('step.overran', ({ step }) => this.overran.add(step))
    this.#listen('loop.stalled', ({ during, lateness }) => {
      if (lateness > this.worst.lateness) this.worst = { lateness: Math.round(lateness), during }
    })
    for (const name of OTHERS) this.#listen(name, () => {})
  }

  get untold(): string[] {
    return [...this.#told.keys()]
  }

  #listen<Name extends LifecycleEventName>(
    name: Name,
    hear: (event: LifecycleEvents[Name]) => void,
  ): void {
    subscribe(`fastify-websocket-lifecycle:${name}`, (event) => {
      this.counts.add(name)
      hear(event as LifecycleEvents[Name])
    })
  }

  #tell(moment: number, id: string, route: string): void {
    const told = this.#told.get(id) ?? 0
    if (told !== moment) {
      this.#accounts.fault(`${MOMENTS[moment]} of ${route} came as moment ${told}, for ${id}`)
    }
    if (moment === MOMENTS.length - 1) this.#told.delete(id)
    else this.#told.set(id, moment + 1)
  }
}

/** Keeps no span, but counts. */
class Spans implements SpanProcessor {
  started = 0
  ended = 0

  onStart(): void {
    this.started++
  }

  onEnd(): void {
    this.ended++
  }

  async forceFlush(): Promise<void> {}
  async shutdown(): Promise<void> {}
}

/** Asked now and then, as an exporter would. */
class Reader extends MetricReader {
  protected async onForceFlush(): Promise<void> {}
  protected async onShutdown(): Promise<void> {}
}

export class Telemetry {
  readonly spans = new Spans()
  readonly reader = new Reader()
  readonly tracerProvider = new NodeTracerProvider({ spanProcessors: [this.spans] })
  readonly meterProvider = new MeterProvider({ readers: [this.reader] })
}

/** A stream for the app's log. */
export function logInto(accounts: Accounts, logged: Tally): { write: (line: string) => void } {
  return {
    write(line) {
      const { level, msg, res } = JSON.parse(line) as { level: number; msg: string; res?: object }
      // Times stand in some.
      logged.add(msg.replaceAll(/\d+ ms/g, 'n ms'))
      const bytes = Buffer.byteLength(line.trimEnd())
      // Fastify's own lines about a request have an error with its stack.
      if (bytes > LONGEST_LINE && res === undefined)
        accounts.fault(`a line of the log has ${bytes} bytes: ${msg}`)
      if (msg === LOG_LINES.listenerFailed.text)
        accounts.fault(`the log says: ${line.slice(0, 600)}`)
      if (level > ERROR) accounts.fault(`the log has a line of level ${level}: ${msg}`)
    },
  }
}

/** Whatever nobody has caught, and what Node warns of, such as listeners that pile up. */
export function watchProcess(accounts: Accounts): void {
  process.on('uncaughtException', (error, origin) => {
    accounts.fault(`${origin}: ${error.stack ?? error.message}`.slice(0, 600))
  })
  process.on('warning', ({ name, message }) => accounts.fault(`${name}: ${message}`))
}
