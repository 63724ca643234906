import { setTimeout as wait } from 'node:timers/promises'
import type { LedgerFile } from '../ledger.js'
import type { NodeProcess } from '../node-process.js'

/** What all clients share. */
export interface World {
  readonly ledger: LedgerFile
  /** A node that may be there: any of them. */
  readonly pick: () => NodeProcess
  readonly random: () => number
  /** Whether clients go on. */
  readonly isOn: boolean
}

/** How many groups there are. */
const GROUPS = 8

export function groupOf(index: number): string {
  return `room:${index % GROUPS}`
}

export const GROUP_NAMES: readonly string[] = Array.from({ length: GROUPS }, (_, i) => groupOf(i))

/** From `from` up to `to` ms. */
export async function pause(world: World, from: number, to: number): Promise<void> {
  await wait(from + world.random() * (to - from))
}
