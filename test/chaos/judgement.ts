/** Something that must not happen has happened. */
export interface Violation {
  /** Which promise is broken, such as R1. */
  readonly rule: string
  readonly text: string
  /** The lines that show it. */
  readonly evidence: readonly object[]
}

/** What the verdict finds: counts for the table, and violations. */
export class Judgement {
  readonly counts: Map<string, number> = new Map()
  readonly violations: Violation[] = []

  /** Names appear in the table in the order in which they were counted first. */
  count(name: string, by = 1): void {
    this.counts.set(name, (this.counts.get(name) ?? 0) + by)
  }

  max(name: string, value: number): void {
    this.counts.set(name, Math.max(this.counts.get(name) ?? 0, Math.round(value)))
  }

  violated(rule: string, text: string, evidence: readonly object[] = []): void {
    this.violations.push({ rule, text, evidence })
  }
}

export function groupBy<Item, Key>(
  items: readonly Item[],
  keyOf: (item: Item) => Key,
): Map<Key, Item[]> {
  const groups = new Map<Key, Item[]>()
  for (const item of items) {
    const key = keyOf(item)
    const group = groups.get(key)
    if (group === undefined) groups.set(key, [item])
    else group.push(item)
  }
  return groups
}
