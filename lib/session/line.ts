import type { WebSocket } from 'ws'
import type { ConnectionDescription } from '../api/lifecycle.js'
import type { CloseFrame, CloseInfo } from '../core/close/info.js'
import type { CauseWithCode, CloseCause } from '../core/close/policy.js'
import type { Silence } from '../core/diagnosis/idle-cluster.js'
import type { Welcome } from '../core/session/link.js'
import type { Traffic } from '../facts/traffic.js'
import type { Writer } from '../outbox/writer.js'

/** A connection, as its session knows it. */
export interface Line {
  readonly socket: WebSocket
  readonly isOpen: boolean
  readonly latency: number | undefined
  /** When the last frame came, in forgiving time. */
  readonly receivedAt: number
  readonly writer: Writer
  /** Whether we have sent a close frame. */
  readonly hasSentClose: boolean
  readonly wasForced: boolean
  /** Whether the app has ended it, or its parser has failed. */
  readonly wantsNoMore: boolean
  /** Why it ends; `undefined` while it is open, or while that is not certain. */
  readonly cause: CloseCause | undefined
  /** Whether its end has begun, for whatever cause. */
  readonly isEnding: boolean
  /** The code of our close frame, or of the echo of the client's. */
  readonly codeOfEnd: number | undefined
  /** Our close frame, as long as the client has not answered it. */
  readonly untold: CloseFrame | undefined
  /** How long no message has come or gone, in ms. */
  idleFor: number
  /** @param expiresAt when the credentials end, epoch ms */
  setExpiresAt(expiresAt: number): void
  /** Resolves when its transport is gone, and nothing of it runs any more. */
  readonly closed: Promise<CloseInfo>
  welcome(session: Welcome): void
  /** Another connection has taken its place: from now on nothing counts that it brings. */
  supersede(): void
  lookBy(at: number): void
  isSparedBy(lateness: number): boolean
  readonly silence: Silence
  describe(): ConnectionDescription
  addTraffic(traffic: Traffic): void
  close(code: number | undefined, reason: string | Buffer | undefined): void
  terminate(cause: CloseCause): void
  end(cause: CauseWithCode, reason?: string): void
  shutDown(code: number, reason: string, reconnectWindow: number): void
  destroyNow(): void
  giveWay(): void
  noteHandlerError(error: Error): void
}
