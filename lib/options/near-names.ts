/** Finds the option that somebody may have meant. */

/**
 * Whether `name` is probably a typing error for `known`: another case, one wrong letter, or two letters
 * swapped.
 */
export function isNearMiss(name: string, known: string): boolean {
  const [written, meant] = [name.toLowerCase(), known.toLowerCase()]
  return distance(written, meant) <= 1 || isSwapped(written, meant)
}

/** The one of the `known` names that is most similar. */
export function nearest(name: string, known: readonly string[]): string {
  const byDistance = known.map((candidate) => ({ candidate, distance: distance(name, candidate) }))
  return byDistance.reduce((best, other) => (other.distance < best.distance ? other : best))
    .candidate
}

/** Whether `name` has little in common with the most similar name: less than half. */
export function isFar(name: string, near: string): boolean {
  return distance(name, near) > Math.max(2, name.length / 2)
}

/** Whether two neighbouring letters are swapped. */
function isSwapped(from: string, to: string): boolean {
  let at = 0
  while (at < from.length && from[at] === to[at]) at++
  const swapped = from.slice(0, at) + from.charAt(at + 1) + from.charAt(at) + from.slice(at + 2)
  return swapped === to
}

/** Levenshtein's distance, by rows. */
function distance(from: string, to: string): number {
  let above = Array.from({ length: to.length + 1 }, (_, column) => column)
  for (let row = 1; row <= from.length; row++) {
    const current = [row]
    for (let column = 1; column <= to.length; column++) {
      const substitution =
        (above[column - 1] as number) + (from[row - 1] === to[column - 1] ? 0 : 1)
      current.push(
        Math.min(substitution, (above[column] as number) + 1, (current[column - 1] as number) + 1),
      )
    }
    above = current
  }
  return above[to.length] as number
}
