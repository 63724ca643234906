import type { FastifyRequest } from 'fastify'
import type { LifecycleSession } from '../api/session.js'
import { runStep, type StepOwner } from '../callbacks/run-step.js'
import type { CloseInfo } from '../core/close/info.js'
import type { Route } from '../routes/route.js'

/** What `Gaps` needs of its session. */
export interface GapsOwner extends StepOwner {
  readonly face: LifecycleSession
  readonly request: FastifyRequest
  /** The hooks of a gap have settled: messages may be handled again. */
  gapOver(): void
}

/**
 * Calls `onSuspend` and `onResume` of a session: by turns, one at a time, in order. Messages that come after
 * a gap wait until both have settled.
 */
export class Gaps {
  readonly #owner: GapsOwner
  readonly #route: Route
  #last: Promise<void> | undefined
  /** Number of gaps that are over, and whose hooks still run. */
  #waiting = 0

  constructor(owner: GapsOwner, route: Route) {
    this.#owner = owner
    this.#route = route
  }

  /** Whether messages wait for the hooks of a gap. */
  get isHolding(): boolean {
    return this.#waiting > 0
  }

  /** @param close of the lost connection; a promise while its transport is not gone yet */
  suspended(close: CloseInfo | Promise<CloseInfo>): void {
    const { onSuspend } = this.#route.settings
    if (onSuspend === undefined) return
    const owner = this.#owner
    this.#then(async () => {
      const lost = await close
      const { instance } = this.#route
      await runStep(owner, 'onSuspend', () =>
        onSuspend.call(instance, owner.face, owner.request, lost),
      )
    })
  }

  /** @param request the upgrade request of the new connection */
  resumed(request: FastifyRequest): void {
    const { onResume } = this.#route.settings
    if (onResume === undefined && this.#last === undefined) return
    const owner = this.#owner
    this.#waiting++
    this.#then(async () => {
      const { instance } = this.#route
      if (onResume !== undefined) {
        await runStep(owner, 'onResume', () => onResume.call(instance, owner.face, request))
      }
      this.#waiting--
      owner.gapOver()
    })
  }

  /** @returns what to await until the hooks have settled */
  get settled(): Promise<void> | undefined {
    return this.#last
  }

  #then(next: () => Promise<void>): void {
    const all = this.#after(this.#last, next)
    this.#last = all
    void all.then(() => {
      if (this.#last === all) this.#last = undefined
    })
  }

  async #after(before: Promise<void> | undefined, next: () => Promise<void>): Promise<void> {
    await before
    await next()
  }
}
