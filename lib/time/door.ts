import { type Clock, systemClock } from './clock.js'

/**
 * Where a test puts the clock of an app, before the plugin is registered. Who puts it there is a bundle of its own, so
 * it shares no module with the plugin.
 */
const CLOCK = Symbol.for('fastify-websocket-lifecycle.clock')

export function setClock(app: object, clock: Clock): void {
  Object.defineProperty(app, CLOCK, { value: clock, configurable: true })
}

/** @param app an instance on which a clock was set, or a child of it; without one the clock is the system's */
export function clockOf(app: object): Clock {
  return (Reflect.get(app, CLOCK) as Clock | undefined) ?? systemClock
}
