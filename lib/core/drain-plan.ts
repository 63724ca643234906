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

/** When connection `index` of `count` is asked to leave: its slice of the spread, and a random place in it. */
export function departureDelay(
  index: number,
  count: number,
  spread: number,
  random: number,
): number {
  return (spread * (index + random)) / count
}
