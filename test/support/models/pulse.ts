// What a heartbeat sees of its connection.
import assert from 'node:assert/strict'
import {
  Heartbeat,
  type HeartbeatPolicy,
  type Pulse,
} from '../../../lib/core/liveness/heartbeat.js'

export const POLICY: HeartbeatPolicy = { interval: 1_000, timeout: 500 }
/** What a line of 64 KiB/s carries in one ms. */
export const PER_MS = 65_536 / 1_000

export function pulse(now: number, seen: Partial<Pulse> = {}): Pulse {
  return {
    now,
    received: 0,
    receivedAt: 0,
    taken: 0,
    sentAt: 0,
    backlogged: false,
    paused: false,
    ping: 'gone',
    ...seen,
  }
}

/** A heartbeat whose first ping is due a whole interval after 0. */
export function start(policy: HeartbeatPolicy = POLICY): Heartbeat {
  return new Heartbeat(policy, pulse(0), 1)
}

/** One that has sent its first ping, of 6 bytes, at 1000. */
export function pinged(policy?: HeartbeatPolicy): Heartbeat {
  const heart = start(policy)
  assert.equal(heart.look(pulse(1_000)), 'ping')
  heart.pinged(1_000, 0.5)
  return heart
}
