import {
  clearInterval,
  clearTimeout,
  epochNow,
  monotonic,
  setInterval,
  setTimeout,
} from '../platform/real-time.js'

/** A timer of node's, with the methods that are needed here. */
export interface Timer {
  ref(): unknown
  unref(): unknown
}

/** Where time and random numbers come from. Tests give a clock that they move themselves. */
export interface Clock {
  /** Monotonic ms. All durations are measured with it. */
  now(): number
  /** Epoch ms. For people and logs, and to compare with times that the app gives. */
  wall(): number
  setTimeout(callback: () => void, delay: number): Timer
  clearTimeout(timer: Timer): void
  setInterval(callback: () => void, delay: number): Timer
  clearInterval(timer: Timer): void
  /**
   * A number from 0 up to, but not including, 1. It spreads things over time that would otherwise come all at
   * once.
   */
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
