import type { CloseInfo } from '../core/close/info.js'
import { cut } from '../facts/cut.js'
import type { LifecycleEvents } from '../facts/events.js'
import { peek } from '../platform/thrown.js'
import type { EndDetails, EndRow } from './protocol.js'
import { addressOf, agentOf, MOST as MOST_OF, round } from './row.js'

/** How many ends are kept. */
export const MOST_ENDS = 500

const MOST_OF_ERROR = 500
const MOST_STEPS = 64

/** The last ends, with their records. */
export class Ends {
  readonly #ends = new Map<string, EndDetails>()
  #fresh: EndRow[] = []

  /** The oldest first. */
  get rows(): EndRow[] {
    return Array.from(this.#ends.values(), rowOf)
  }

  detailsOf(id: string): EndDetails | undefined {
    return this.#ends.get(id)
  }

  /** @param at in epoch ms */
  closed({ id, route, connection, close }: LifecycleEvents['connection.closed'], at: number): void {
    const details = {
      ...recordOf(close),
      id,
      route: cut(route, MOST_OF.route),
      address: addressOf(connection.request.ip),
      agent: agentOf(connection),
      at,
    }
    this.#ends.set(id, details)
    this.#fresh.push(rowOf(details))
    if (this.#ends.size <= MOST_ENDS) return
    const [oldest] = this.#ends.keys()
    this.#ends.delete(oldest as string)
    if (this.#fresh.length > MOST_ENDS) this.#fresh.shift()
  }

  released({ id, steps }: LifecycleEvents['connection.released']): void {
    const end = this.#ends.get(id)
    if (end === undefined) return
    const told = steps.slice(0, MOST_STEPS).map(({ name, duration, overran }) => ({
      name: cut(name, MOST_OF.group),
      duration: Math.round(duration),
      overran,
    }))
    this.#ends.set(id, { ...end, steps: told })
  }

  /** Those that are new since this was asked before. */
  take(): EndRow[] {
    const fresh = this.#fresh
    this.#fresh = []
    return fresh
  }
}

function rowOf(details: EndDetails): EndRow {
  const { at, id, route, address, cause, code, reason, duration, expected } = details
  return [at, id, route, address, cause, code, reason, duration, expected]
}

function recordOf(close: CloseInfo): Omit<EndDetails, 'id' | 'route' | 'address' | 'agent' | 'at'> {
  const { error, history = [], latency, received, sent, duration, ...others } = close
  return {
    ...others,
    duration: Math.round(duration),
    sent: sent ?? null,
    received: received ?? null,
    error: error === undefined ? '' : textOf(error),
    latency: round(latency),
    history,
    steps: null,
  }
}

function textOf(error: Error): string {
  const parts = ['name', 'message'].map((each) => String(peek(error, each)))
  return cut(parts.join(': '), MOST_OF_ERROR)
}
