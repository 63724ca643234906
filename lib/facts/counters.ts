import type { LifecycleStats, RefusalReason } from '../api/lifecycle.js'
import { CLOSE_CAUSES, type CloseCause } from '../core/close/policy.js'

/** Counts of what has happened since the server started. */
export class Counters {
  opened = 0
  dropped = 0
  abandoned = 0
  readonly refused: Record<RefusalReason, number> = {
    draining: 0,
    route: 0,
    origin: 0,
    limit: 0,
    key: 0,
    handshake: 0,
    hook: 0,
  }
  readonly closed: Record<CloseCause, number> = Object.fromEntries(
    CLOSE_CAUSES.map((cause) => [cause, 0]),
  ) as Record<CloseCause, number>

  /** A copy of the counters. The number of open connections is not counted here, so the caller gives it. */
  stats(open: number): LifecycleStats {
    return {
      open,
      opened: this.opened,
      refused: { ...this.refused },
      closed: { ...this.closed },
      abandoned: this.abandoned,
      dropped: this.dropped,
    }
  }
}
