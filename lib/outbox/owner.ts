import type { Duplex } from 'node:stream'
import type { WebSocket } from 'ws'
import type { Callbacks } from '../callbacks/callbacks.js'
import type { CauseWithCode } from '../core/close/policy.js'
import type { Facts } from '../facts/facts.js'
import type { RecordedSubject } from '../facts/subjects.js'
import type { Clock } from '../time/clock.js'
import type { Sweep } from '../time/sweep.js'
import type { Turns } from '../time/turns.js'
import type { Frames } from './frames.js'

/** What the outbox needs of its connection. */
export interface OutboxOwner extends RecordedSubject {
  readonly shared: {
    readonly clock: Clock
    readonly facts: Facts
    readonly frames: Frames
    readonly sweep: Sweep
    readonly turns: Turns
  }
  readonly socket: WebSocket
  readonly raw: Duplex
  readonly callbacks: Callbacks
  /** What its groups owe it. It comes before all that is sent later. */
  readonly membership: { catchUp(): void } | undefined
  readonly isOpen: boolean
  /** Number of messages and control frames that came. */
  readonly received: number
  /** Number of messages sent. */
  sent: number
  /** When the last one was sent. */
  sentAt: number
  /** Number of bytes sent since the last look, or a few more. */
  bytesUnseen: number
  /** Asks for a look by then, if none is due before. */
  lookBy(at: number): void
  /** Called when a ping or pong is sent. */
  noteControl(): void
  end(cause: CauseWithCode): void
  /** The app has made a mistake: the connection ends with `handler-error`. */
  fail(error: Error, step: string): void
  /** Makes the error for callbacks of messages that came too late. */
  abortReason(): Error
}
