import type { FastifyRequest } from 'fastify'
import type { CloseInfo, LifecycleSession, LifecycleSocket } from '../../../../lib/index.js'
import type { Accounts } from './accounts.js'
import type { Storm } from './storm.js'

/** Either of both. */
export type Who = LifecycleSocket | LifecycleSession

const SLOW = 300
const LATE = 2_000

export function routeOf(request: FastifyRequest): string {
  return request.routeOptions.url ?? ''
}

/** What the server does for each connection, with hooks and releases that behave badly in a storm. */
export class Duties {
  readonly accounts: Accounts
  readonly storm: Storm

  readonly #late = new Set<Promise<void>>()

  constructor(accounts: Accounts, storm: Storm) {
    this.accounts = accounts
    this.storm = storm
  }

  /** For each upgrade request, also if it is refused. */
  request({ wsScope }: FastifyRequest): void {
    wsScope?.defer(this.accounts.acquire('what a request holds'))
  }

  /** In each handler. */
  opened(who: Who, request: FastifyRequest): void {
    const { accounts, storm } = this
    accounts.opened(routeOf(request), who.id)
    who.scope.defer(this.#badly('release', accounts.acquire('what a connection holds')))
    // It may come after the end.
    if (!storm.has(0.1)) return
    const release = accounts.acquire('what came late')
    const late = storm.pause(LATE).then(() => who.scope.defer(release))
    this.#late.add(late)
    void late.then(() => this.#late.delete(late))
  }

  async closed(who: Who, request: FastifyRequest, close: CloseInfo): Promise<void> {
    // The page for operators has a handler of its own.
    if (routeOf(request).startsWith('/admin')) return
    this.accounts.closed(routeOf(request), who.id, close)
    const { who: name } = request.query as { readonly who?: string }
    if (name !== undefined) this.accounts.named(name, routeOf(request), close)
    if (who.groups.length > 0) this.accounts.fault(`onClose with groups: ${who.groups.join(', ')}`)
    if (!who.scope.signal.aborted) this.accounts.fault('onClose before the signal has aborted')
    await this.#badly('onClose', () => {})()
  }

  /** Resolves when nothing comes late any more. */
  async settled(): Promise<void> {
    await Promise.all(this.#late)
  }

  /** Any other hook that runs before `socket.closed` resolves. */
  async hook(name: string): Promise<void> {
    await this.#badly(name, () => {})()
  }

  /** A step that never ends. */
  async hang(): Promise<never> {
    return new Promise<never>(() => {})
  }

  /** Does it, and then in a storm throws, rejects, takes its time, or hangs. */
  #badly(where: string, act: () => void): () => unknown {
    const { accounts, storm } = this
    return () => {
      act()
      if (storm.has(0.02)) return accounts.throwOnPurpose(where)
      if (storm.has(0.002)) {
        accounts.hung++
        return this.hang()
      }
      if (!storm.has(0.1)) return undefined
      return storm.pause(SLOW).then(() => {
        if (storm.has(0.1)) accounts.throwOnPurpose(where)
      })
    }
  }
}
