import {
  clearInterval,
  clearTimeout,
  epochNow,
  monotonic,
  setInterval,
  setTimeout,
} from '../platform/real-time.js'

/** A handle of node's timers, as far as it is needed here. */
export interface Timer {
  ref(): unknown
  unref(): unknown
}

/** Where time comes from, and chance; tests move one of their own. */
export interface Clock {
  /** Monotonic ms: every duration is measured with it. */
  now(): number
  /** Epoch ms: what people and logs are told, and what the app's own moments are compared with. */
  wall(): number
  setTimeout(callback: () => void, delay: number): Timer
  clearTimeout(timer: Timer): void
  setInterval(callback: () => void, delay: number): Timer
  clearInterval(timer: Timer): void
  /** From 0 up to, and without, 1: spreads over time what would else come at once. */
  random(): number
}

export const systemClock: Clock = {
  now: monotonic,
  wall: epochNow,
  setTimeout: (callback, delay) => setTimeout(callback, delay),
  clearTimeout: (timer) => {
    clearTimeout(timer as NodeJS.Timeout)
  },
  setInterval: (callback, delay) => setInterval(callback, delay),
  clearInterval: (timer) => {
    clearInterval(timer as NodeJS.Timeout)
  },
  random: Math.random,
}
