import { setClock } from '../time/door.js'
import type { ManualClock } from './api.js'
import { HandClock } from './hand-clock.js'

/**
 * Puts a clock in place of the system's into the plugin of an app: its time stands still until the test moves it. Call
 * it before the plugin is registered. Nothing else has another time: no global is faked.
 * @throws if the plugin is registered already
 */
export function manualClock(app: object): ManualClock {
  if ('websocketLifecycle' in app) {
    throw new Error(
      'Expected manualClock() to be called before fastify-websocket-lifecycle is registered on this app',
    )
  }
  const clock = new HandClock()
  setClock(app, clock)
  return clock
}
