/** How short a lease may be, so that much happens in a minute. All in ms. */
export const LEASE = 3_000
/** A node renews so often. */
export const BEAT = LEASE / 3
/** How long operations wait for other nodes, and every command for Redis. */
export const ANSWER = 2_000
/**
 * How long after a trouble a node may not be as before: its client waits for up to 2 s before it connects again, and
 * then the node renews, and writes what Redis may have lost.
 */
export const RECOVERY = 2_500 + BEAT + 1_000
/** How many cleanups run at once, and how many begin in a second: the defaults. */
export const CONCURRENCY = 8
export const RATE = 100
