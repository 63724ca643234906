import type { FastifyRequest } from 'fastify'
import type { Grave } from '../core/session/graves.js'
import type { Offer, ResumeRequest } from '../core/session/link.js'
import { invalidOption } from '../errors.js'
import { kindOf } from '../options/complaints.js'
import type { ResumeSettings } from '../options/settings.js'
import { ignoreRejection } from '../platform/thenable.js'
import type { Route } from '../routes/route.js'
import type { Session } from '../session/session.js'
import type { Sessions } from '../session/sessions.js'
import { type Applicant, type Refusal, refuseInAll, refusePerKey } from './verdict.js'

/**
 * What an upgrade has to do with the sessions of its route: whose session it will be, and the session that
 * its client wants to go on with. While this is being decided that session waits.
 */
export class Resuming {
  readonly settings: ResumeSettings
  readonly path: string
  /** What the client asks for; `undefined` if it begins anew. */
  readonly request: ResumeRequest | undefined
  readonly #sessions: Sessions
  readonly #route: Route
  #key: string | null = null
  #session: Session | undefined
  /** How the session has ended that the client asks for. */
  #grave: Grave | undefined

  /** @param path the URL without the query */
  constructor(
    settings: ResumeSettings,
    sessions: Sessions,
    route: Route,
    path: string,
    offer: Offer | undefined,
  ) {
    this.settings = settings
    this.path = path
    this.#sessions = sessions
    this.#route = route
    this.request = offer?.resume
    if (this.request === undefined) return
    const { token } = this.request
    const session = sessions.find(token)
    if (session?.route === route && session.path === path) this.#session = session
    this.#grave = this.#findGrave(token)
    this.#session?.asked()
  }

  /** Whose session it is. */
  get key(): string | null {
    return this.#key
  }

  /** The session to go on with, once the hooks have run. */
  get session(): Session | undefined {
    return this.#session
  }

  /** How the session has ended, or ends, that the client asks for. That may be while ws shakes hands, too. */
  get grave(): Grave | undefined {
    return this.#grave ?? (this.request && this.#findGrave(this.request.token))
  }

  /** Whether the client asks for a session that there is or was. Then it takes no places. */
  get isAsking(): boolean {
    return this.#session !== undefined || this.#grave !== undefined
  }

  /**
   * The hooks have run: decides whose session it is, and about the places of a new one.
   * @throws FST_ERR_WSL_INVALID_OPTION, and what the app's function throws
   */
  refuse(applicant: Applicant, request: FastifyRequest): Refusal | undefined {
    const route = this.#route
    this.#key = askKey(this.settings, request, route.url)
    if (!this.isAsking) return refusePerKey(applicant, request, route)
    // The session may have ended while the hooks ran.
    const session = this.#session?.isOpen === true ? this.#session : undefined
    if (this.request !== undefined && session === undefined) {
      this.#grave = this.#findGrave(this.request.token)
    }
    if ((session ?? this.#grave)?.key === this.#key) return undefined
    this.over()
    return refuseInAll(applicant, route) ?? refusePerKey(applicant, request, route)
  }

  /** The upgrade is decided, or begins a session of its own. */
  over(): void {
    this.#session?.answered()
    this.#session = undefined
    this.#grave = undefined
  }

  #findGrave(token: string): Grave | undefined {
    const grave = this.#sessions.findGrave(this.#route, token)
    return grave?.path === this.path ? grave : undefined
  }
}

function askKey(
  { key: keyOf }: ResumeSettings,
  request: FastifyRequest,
  url: string,
): string | null {
  const key: unknown = keyOf(request)
  if (key === null || typeof key === 'string') return key
  ignoreRejection(key)
  throw invalidOption(
    `Expected \`resume.key\` to return a string or null, got ${kindOf(key)}, in the options of route ${url}`,
  )
}
