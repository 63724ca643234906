import type { NodeInfo } from './here.js'

/** What Redis has answered to a renewal. */
export interface Renewed {
  /** Until when the lease was to last; `undefined` if Redis did not know the node. */
  readonly leaseEnd: number | undefined
  /** Of a registration. */
  readonly fence: number
  readonly redisNow: number
  /** By their names, and by those that they had before. */
  readonly others: ReadonlyMap<string, NodeInfo>
  /** Nodes that may be claimed. */
  readonly dead: readonly string[]
}

type Reply = readonly [
  leaseEnd: string,
  fence: string,
  now: number | string,
  live: unknown,
  expired: readonly string[],
  orphaned: readonly string[],
]

export function writeInfo({ address, formerly }: NodeInfo): string {
  return JSON.stringify({ address, formerly })
}

/** @returns `undefined` if the node was claimed */
export function readRenewal(reply: unknown): Renewed | undefined {
  const [leaseEnd, fence, now, live, expired, orphaned] = reply as Reply
  if (leaseEnd === 'claimed') return undefined
  return {
    leaseEnd: leaseEnd === '' ? undefined : Number(leaseEnd),
    fence: Number(fence),
    redisNow: Number(now),
    others: readOthers(live),
    dead: [...expired, ...orphaned],
  }
}

/** @param live the nodes that live, as a script tells */
export function readOthers(live: unknown): Map<string, NodeInfo> {
  const others = new Map<string, NodeInfo>()
  for (const [id, json] of live as ReadonlyArray<readonly [name: string, info: string]>) {
    // Redis may have lost the info, and another version of this package may tell less.
    const { address, formerly = [] } = JSON.parse(json) as Partial<NodeInfo>
    for (const name of [id, ...formerly]) others.set(name, { address, formerly })
  }
  return others
}
