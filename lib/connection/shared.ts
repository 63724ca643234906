import type { IncomingMessage } from 'node:http'
import type { Duplex } from 'node:stream'
import type { WebSocket } from 'ws'
import type { Steps } from '../callbacks/steps.js'
import type { Cluster } from '../cluster/cluster.js'
import type { Facts } from '../facts/facts.js'
import type { Groups } from '../groups/groups.js'
import type { Frames } from '../outbox/frames.js'
import type { Sessions } from '../session/sessions.js'
import type { Clock } from '../time/clock.js'
import type { Sweep } from '../time/sweep.js'
import type { Turns } from '../time/turns.js'

/** What all connections of one server share. */
export interface Shared {
  readonly clock: Clock
  /** Looks at open connections. */
  readonly sweep: Sweep
  /** Looks at connections that are opening or closing. It ticks faster, and only while there are some. */
  readonly transitions: Sweep
  readonly steps: Steps
  readonly facts: Facts
  readonly turns: Turns
  readonly frames: Frames
  readonly sessions: Sessions
  readonly groups: Groups
  readonly cluster: Cluster
  /** Completes a handshake without a handler. */
  readonly accept: (
    message: IncomingMessage,
    raw: Duplex,
    head: Buffer,
    accepted: (socket: WebSocket) => void,
  ) => void
  /** Whether we answer the peers' pings. `false` with `websocket: { autoPong: false }`. */
  readonly answersPings: boolean
  /** The largest message that ws lets through, in bytes. */
  readonly maxPayload: number
}
