import type { DurableRecord, Json } from '../api/cluster.js'
import type { DurableEntry } from '../cluster/cluster.js'
import { notJson } from '../core/cluster/json.js'
import { invalidOption } from '../errors.js'

/** The most bytes of `data`, as JSON. */
const MOST_BYTES = 4_096

/** What Redis holds of a record. Its id is the name of the field, and its node is in that of the key. */
export type Recorded = Pick<DurableRecord, 'name' | 'openedAt' | 'data' | 'fence'>

/** What the release gets. */
export function recordOf(
  { name, openedAt, data }: Recorded,
  by: Omit<DurableRecord, keyof Recorded> & Pick<DurableRecord, 'fence'>,
): DurableRecord {
  const { id, node, fence, survivor } = by
  return Object.freeze({ id, name, node, openedAt, data, fence, survivor })
}

/** @throws FST_ERR_WSL_INVALID_OPTION */
export function toText({ route, openedAt, data }: DurableEntry, fence: number): string {
  const wrong = wrongWith(data)
  if (wrong !== undefined) {
    const option = `the answer of \`cluster.durable.data\` of ${route.url}`
    throw invalidOption(
      `Expected ${option} to be what JSON can carry, in at most ${MOST_BYTES} bytes, got ${wrong}`,
    )
  }
  const recorded: Recorded = { name: route.settings.name, openedAt, data, fence }
  return JSON.stringify(recorded)
}

function wrongWith(data: Json): string | undefined {
  try {
    const wrong = notJson(data)
    if (wrong !== undefined) return wrong
    const bytes = Buffer.byteLength(JSON.stringify(data))
    return bytes > MOST_BYTES ? `${bytes} bytes` : undefined
  } catch {
    // A getter of it threw, or it is larger than any string.
    return 'one that cannot be read'
  }
}

/** @returns `undefined` if it is none of ours, or of a version of this package that writes it otherwise */
export function fromText(text: string): Recorded | undefined {
  try {
    // The release may get it again, so it must not change it.
    const recorded = JSON.parse(text, (_name, value: unknown) => Object.freeze(value)) as Recorded
    const { name, openedAt, data } = recorded
    const isOurs = typeof name === 'string' && typeof openedAt === 'number' && data !== undefined
    return isOurs ? recorded : undefined
  } catch {
    return undefined
  }
}
