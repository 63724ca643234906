/**
 * How long the steps that still run at the deadline of a drain may go on, in ms. Then all of them are left
 * behind.
 */
export const DRAIN_GRACE = 500

/** How long the goodbye of one connection may take, so that enough time is left for its close; in ms. */
export function goodbyeBudget(
  cleanupTimeout: number,
  closeTimeout: number,
  remaining: number,
): number {
  return Math.max(0, Math.min(cleanupTimeout, remaining - closeTimeout - DRAIN_GRACE))
}

/**
 * Over how many ms the close frames are spread, if `remaining` ms are left of the drain. It is short enough
 * that each close still has its time or, if little time is left, half of that.
 */
export function spreadWithin(spread: number, closeTimeout: number, remaining: number): number {
  const beforeCloses = goodbyeBudget(Infinity, closeTimeout, remaining)
  return Math.min(spread, Math.max(beforeCloses, remaining / 2))
}

/**
 * When connection `index` of `count` is closed, in ms after the closes began: at a random moment in its own
 * slice of the spread.
 */
export function departureDelay(
  index: number,
  count: number,
  spread: number,
  random: number,
): number {
  return (spread * (index + random)) / count
}
