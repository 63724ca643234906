import { setTimeout as wait } from 'node:timers/promises'
import type { FastifyInstance, FastifyRequest } from 'fastify'
import type {
  CloseInfo,
  DurableRecord,
  LifecycleSession,
  LifecycleSocket,
  Message,
} from '../../../../lib/index.js'
import { type DurableKind, type LedgerFile, now } from '../ledger.js'

/** What a request says of its client. */
interface Query {
  readonly ticket: string
  readonly key: string
}

type Member = LifecycleSession | LifecycleSocket

/** How many of a hundred releases fail at their first try. */
const FAILING = 3

/**
 * The routes: `/session` with `resume` and `continue`, `/strict` with `close`, and `/device`, one place for each key.
 * @returns what makes releases succeed from now on
 */
export function addRoutes(app: FastifyInstance, ledger: LedgerFile, process: number): () => void {
  const { durable, calm } = releases(ledger)
  app.register(async (instance) => {
    instance.get(
      '/session',
      {
        websocket: true,
        groups: keyOf,
        resume: { key: () => null, window: 8_000 },
        cluster: { durable: { ...durable, name: 'session', whenCutOff: 'continue' } },
        onMessage: (session, _request, message) => counts.get(session)?.handle(message),
        onClose: (session, _request, close) => over(session, close),
      },
      (session, request) => begin('session', session, request),
    )
    instance.get(
      '/strict',
      {
        websocket: true,
        groups: keyOf,
        cluster: { durable: { ...durable, name: 'strict', whenCutOff: 'close' } },
        onMessage: (socket, _request, message) => counts.get(socket)?.handle(message),
        onClose: (socket, _request, close) => over(socket, close),
      },
      (socket, request) => begin('strict', socket, request),
    )
    instance.get(
      '/device',
      {
        websocket: true,
        maxConnectionsPerKey: {
          max: 1,
          key: keyOf,
          whenFull: 'replace',
          scope: 'cluster',
        },
        onClose: (socket, _request, close) => over(socket, close),
      },
      (socket, request) => begin('device', socket, request),
    )
  })

  const counts = new Map<Member, Counts>()
  const begin = (kind: DurableKind | 'device', member: Member, request: FastifyRequest): void => {
    const { id } = member
    const { node } = app.websocketCluster
    ledger.write({ what: 'opened', id, node, kind, ...queryOf(request) })
    member.scope.signal.addEventListener('abort', () => ledger.write({ what: 'ended', id }))
    if (kind === 'device') return
    counts.set(member, new Counts(member, ledger))
    member.send(JSON.stringify({ hello: id, process, at: now() }))
  }
  const over = (member: Member, { cause }: CloseInfo): void => {
    counts.delete(member)
    ledger.write({ what: 'closed', id: member.id, cause })
  }
  return calm
}

function keyOf(request: FastifyRequest): string {
  return queryOf(request).key
}

function queryOf(request: FastifyRequest): Query {
  return request.query as Query
}

/** The messages of one client are numbered, and so are the answers. */
class Counts {
  readonly #member: Member
  readonly #ledger: LedgerFile
  #handled = 0

  constructor(member: Member, ledger: LedgerFile) {
    this.#member = member
    this.#ledger = ledger
  }

  handle(message: Message): void {
    const { number } = JSON.parse(String(message)) as { readonly number: number }
    if (number !== ++this.#handled) {
      const { id } = this.#member
      const text = `S1: ${id} handled ${number} in place of ${this.#handled}`
      this.#ledger.write({ what: 'fault', text })
      this.#handled = number
    }
    this.#member.send(JSON.stringify({ number, at: now() }))
  }
}

interface Releases {
  readonly durable: {
    readonly data: (request: FastifyRequest) => { readonly ticket: string }
    readonly release: (record: DurableRecord) => Promise<void>
  }
  readonly calm: () => void
}

function releases(ledger: LedgerFile): Releases {
  const tried = new Set<string>()
  let isCalm = false
  const release = async (record: DurableRecord): Promise<void> => {
    const { id, node: owner, fence, survivor, data } = record
    const { ticket } = data as { readonly ticket: string }
    const run = { id, ticket, owner, fence, survivor }
    ledger.write({ what: 'releasing', ...run })
    const chance = Number.parseInt(id.slice(-4), 16) % 100
    await wait(10 + chance)
    const fails = chance < FAILING && !isCalm && !tried.has(id)
    tried.add(id)
    ledger.write({ what: fails ? 'failed' : 'released', ...run })
    if (fails) throw new Error('It fails at its first try')
  }
  return {
    durable: { data: (request) => ({ ticket: queryOf(request).ticket }), release },
    calm: () => {
      isCalm = true
    },
  }
}
