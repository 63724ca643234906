import { type IncomingMessage, ServerResponse } from 'node:http'
import { isDeepStrictEqual } from 'node:util'
import type { FastifyInstance, RouteOptions } from 'fastify'
import FindMyWay from 'find-my-way'
import { type RoutingOptions, routingOptionsOf } from '../platform/fastify-internals.js'

/** The route that an `onRoute` hook gets. */
type DeclaredRoute = RouteOptions & { readonly routePath?: string; readonly prefix?: string }

interface Entry {
  readonly url: string
  readonly constraints: Readonly<Record<string, unknown>>
  readonly isOurs: boolean
}

/** The result of a lookup in our copy of the routes. */
interface Found {
  readonly entry: Entry
  readonly params: object
}

type Router = FindMyWay.Instance<FindMyWay.HTTPVersion.V1>

/** The constraints for which find-my-way itself has strategies. */
const BUILT_IN = ['host', 'version']

/**
 * Tells where Fastify will route an upgrade, before it does. Nothing public tells that, and Fastify cannot be
 * asked without running hooks. So this is a copy of the GET routes in Fastify's own router. It is made when
 * it is first asked.
 */
export class RouteTable {
  readonly #app: FastifyInstance
  readonly #entries: Entry[] = []
  #options: RoutingOptions | undefined
  #router: Router | undefined

  constructor(app: FastifyInstance) {
    this.#app = app
  }

  /** Adds a route that is declared. */
  add(route: DeclaredRoute, isOurs: boolean): void {
    if (![route.method].flat().includes('GET')) return
    const { url, constraints = {} } = route
    this.#entries.push({ url, constraints, isOurs })
    // Fastify declares `/` below a prefix twice, and announces it once.
    if (
      route.routePath === '' &&
      route.prefix &&
      (route.prefixTrailingSlash ?? 'both') === 'both'
    ) {
      this.#entries.push({ url: `${url}/`, constraints, isOurs })
    }
  }

  /**
   * Whether a WebSocket route of ours will get this request.
   * @throws what the app's `rewriteUrl`, or a constraint of its own, throws
   */
  leadsToOurs(message: IncomingMessage): boolean {
    const { rewriteUrl, router } = (this.#options ??= routingOptionsOf(this.#app))
    const request = rewriteUrl === undefined ? message : rewritten(message, rewriteUrl, this.#app)
    this.#router ??= makeRouter(this.#entries, router)
    const found = this.#router.lookup(request, new ServerResponse(request)) as Found | undefined
    if (found?.entry.isOurs !== true) return false
    // The values that Fastify derives from the request for a constraint cannot be asked for.
    if (isConstrained(found.entry)) return true
    // A route that was declared before us is not in our copy, and may match better.
    const route = this.#app.findRoute({ method: 'GET', url: String(request.url) })
    return route !== null && isDeepStrictEqual({ ...route.params }, { ...found.params })
  }
}

/**
 * The request as Fastify will route it. It is an object of its own, so that the app's function cannot change
 * the real one.
 */
function rewritten(
  message: IncomingMessage,
  rewriteUrl: NonNullable<RoutingOptions['rewriteUrl']>,
  app: FastifyInstance,
): IncomingMessage {
  const request = Object.create(message) as IncomingMessage & { originalUrl?: string | undefined }
  request.originalUrl = message.url
  request.url = rewriteUrl.call(app, request)
  return request
}

function makeRouter(entries: readonly Entry[], options: RoutingOptions['router']): Router {
  const { caseSensitive, ignoreTrailingSlash, ignoreDuplicateSlashes, maxParamLength } = options
  const strategies = Object.values(options.constraints ?? {}).filter(isSynchronous)
  const config = {
    ...(caseSensitive !== undefined && { caseSensitive }),
    ...(ignoreTrailingSlash !== undefined && { ignoreTrailingSlash }),
    ...(ignoreDuplicateSlashes !== undefined && { ignoreDuplicateSlashes }),
    ...(maxParamLength !== undefined && { maxParamLength }),
    // The types of find-my-way do not have this option.
    useSemicolonDelimiter: options.useSemicolonDelimiter === true,
    constraints: Object.fromEntries(strategies.map((strategy) => [strategy.name, strategy])),
    // Fastify has accepted the patterns already.
    allowUnsafeRegex: true,
    querystringParser: () => ({}),
  }
  const router: Router = FindMyWay(config)
  const known = [...BUILT_IN, ...strategies.map(({ name }) => name)]
  for (const entry of entries.toSorted(oursFirst)) {
    const constraints = only(known, entry.constraints)
    // If two routes differ only in a constraint that is not known here, ours counts.
    if (router.hasRoute('GET', entry.url, constraints)) continue
    router.on('GET', entry.url, { constraints }, found, entry)
  }
  return router
}

function found(
  ...[, , params, entry]: Parameters<FindMyWay.Handler<FindMyWay.HTTPVersion.V1>>
): Found {
  return { entry: entry as Entry, params }
}

/**
 * A strategy that answers in a callback takes three arguments. It cannot be asked before the event is over.
 */
function isSynchronous({ deriveConstraint }: { readonly deriveConstraint: unknown }): boolean {
  return typeof deriveConstraint === 'function' && deriveConstraint.length < 3
}

function oursFirst(one: Entry, other: Entry): number {
  return Number(other.isOurs) - Number(one.isOurs)
}

function only(names: readonly string[], constraints: Entry['constraints']): Entry['constraints'] {
  return Object.fromEntries(Object.entries(constraints).filter(([name]) => names.includes(name)))
}

function isConstrained({ constraints }: Entry): boolean {
  return Object.keys(constraints).length > 0
}
