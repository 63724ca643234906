import { subscribe, unsubscribe } from 'node:diagnostics_channel'
import type { TestContext } from 'node:test'
import { within } from '../time/bound.js'
import type { FastifyInstance } from 'fastify'
import type { LifecycleEventName, LifecycleEvents, ServerEvent } from '../../../lib/index.js'

/** An event without its app, whose picture in a failure would be long. */
type Told<Name extends LifecycleEventName> = Omit<LifecycleEvents[Name], 'app'>

/** What the plugin has told since a test began to listen, in order. */
export class Hearing {
  readonly all: Array<{ readonly name: LifecycleEventName; readonly event: unknown }> = []
  /** Whose events it were. */
  readonly apps = new Set<FastifyInstance>()
  readonly #wakes = new Set<() => void>()

  note(name: LifecycleEventName, { app, ...event }: ServerEvent): void {
    this.apps.add(app)
    this.all.push({ name, event })
    for (const wake of this.#wakes) wake()
  }

  get names(): LifecycleEventName[] {
    return this.all.map(({ name }) => name)
  }

  /** All events of a name. */
  of<Name extends LifecycleEventName>(name: Name): Array<Told<Name>> {
    return this.all.flatMap((each) => (each.name === name ? [each.event as never] : []))
  }

  /** Resolves with the first event of a name. */
  async first<Name extends LifecycleEventName>(name: Name): Promise<Told<Name>> {
    const come = new Promise<Told<Name>>((resolve) => {
      const wake = (): void => {
        const [event] = this.of(name)
        if (event === undefined) return
        this.#wakes.delete(wake)
        resolve(event)
      }
      this.#wakes.add(wake)
      wake()
    })
    return within(come, `${name} after ${this.names.join(', ')}`)
  }
}

/** Listens for events until the test is over. */
export function hear(t: TestContext, ...names: LifecycleEventName[]): Hearing {
  const hearing = new Hearing()
  for (const name of names) listen(t, name, (event) => hearing.note(name, event))
  return hearing
}

/**
 * Acts in the middle of each event of an app, as a listener may, until the test is over.
 * @returns what ends it before
 */
export function during(
  t: TestContext,
  app: FastifyInstance,
  name: LifecycleEventName,
  act: () => void,
): () => void {
  return listen(t, name, (event) => {
    if (event.app === app) act()
  })
}

function listen(
  t: TestContext,
  name: LifecycleEventName,
  hear: (event: ServerEvent) => void,
): () => void {
  const channel = `fastify-websocket-lifecycle:${name}`
  const listener = (event: unknown): void => hear(event as ServerEvent)
  const stop = (): void => void unsubscribe(channel, listener)
  subscribe(channel, listener)
  t.after(stop)
  return stop
}
