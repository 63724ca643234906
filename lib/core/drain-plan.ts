/** What all steps still running at the deadline share before they are left behind, in ms. */
export const DRAIN_GRACE = 500

/** How long one connection's goodbye may take without eating the time that its close needs. */
export function goodbyeBudget(
  cleanupTimeout: number,
  closeTimeout: number,
  remaining: number,
): number {
  return Math.max(0, Math.min(cleanupTimeout, remaining - closeTimeout - DRAIN_GRACE))
}

/**
 * Over how long the close frames are spread where `remaining` ms are left of the drain: no longer than each close has its
 * time all the same or, where there is little of it, half of what is left.
 */
export function spreadWithin(spread: number, closeTimeout: number, remaining: number): number {
  const beforeCloses = goodbyeBudget(Infinity, closeTimeout, remaining)
  return Math.min(spread, Math.max(beforeCloses, remaining / 2))
}

/** When connection `index` of `count` is closed: its slice of the spread, and a random place in it. */
export function departureDelay(
  index: number,
  count: number,
  spread: number,
  random: number,
): number {
  return (spread * (index + random)) / count
}
