import { subscribe, unsubscribe } from 'node:diagnostics_channel'
import type { FastifyInstance } from 'fastify'
import { toError } from '../platform/thrown.js'
import type { LifecycleEventName, LifecycleEvents, LifecycleTraces, ServerEvent } from './events.js'
import { LOG_LINES } from './log-lines.js'
import { logSafely } from './log.js'

const NAME = 'fastify-websocket-lifecycle'

/**
 * Hears what the plugin tells of one server of this process, until it is stopped. A listener that fails, with
 * code of others that it calls, harms nobody: node would end the process.
 */
export class Listening {
  readonly #app: FastifyInstance
  readonly #stops: Array<() => void> = []
  #hasFailed = false

  constructor(app: FastifyInstance) {
    this.#app = app
  }

  onEvent<Name extends LifecycleEventName>(
    name: Name,
    listener: (event: LifecycleEvents[Name]) => void,
  ): void {
    this.#on(`${NAME}:${name}`, listener)
  }

  onTrace<Name extends keyof LifecycleTraces>(
    name: Name,
    moment: 'start' | 'end' | 'asyncEnd' | 'error',
    listener: (call: LifecycleTraces[Name]) => void,
  ): void {
    this.#on(`tracing:${NAME}:${name}:${moment}`, listener)
  }

  /** Calls a listener. If it fails, that is logged, the first time. */
  isolate(listener: () => void): void {
    try {
      listener()
    } catch (error) {
      if (this.#hasFailed) return
      this.#hasFailed = true
      logSafely(this.#app.log, LOG_LINES.listenerFailed, { err: toError(error) })
    }
  }

  stop(): void {
    for (const stop of this.#stops.splice(0)) stop()
  }

  #on(channel: string, listener: (told: never) => void): void {
    const ofOurs = (told: unknown): void => {
      // A child of an instance has the same server. Anybody may write to a channel.
      const { app } = (told ?? {}) as Partial<ServerEvent>
      if (app?.server === this.#app.server) this.isolate(() => listener(told as never))
    }
    subscribe(channel, ofOurs)
    this.#stops.push(() => unsubscribe(channel, ofOurs))
  }
}
