import { type Clock, systemClock } from '../../../lib/time/clock.js'

/** What is as long, in ms, is how long somebody waits for Redis or for other nodes. */
const WAITS = 2_000

/** The system's clock, by which nobody is given up because this machine stands still. */
export const patientClock: Clock = {
  ...systemClock,
  setTimeout: (callback, delay) =>
    systemClock.setTimeout(callback, delay < WAITS ? delay : 30 * delay),
}
