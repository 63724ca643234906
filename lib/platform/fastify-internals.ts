import type { Server } from 'node:http'
import type { FastifyInstance, FastifyServerOptions } from 'fastify'
import type FindMyWay from 'find-my-way'

type Config = FindMyWay.Config<FindMyWay.HTTPVersion.V1>

/** The options by which an instance routes. For those that are missing the router has defaults. */
export interface RoutingOptions {
  readonly rewriteUrl?: FastifyServerOptions['rewriteUrl']
  readonly router: Pick<
    Config,
    'caseSensitive' | 'ignoreDuplicateSlashes' | 'ignoreTrailingSlash' | 'maxParamLength'
  > & {
    readonly constraints?: NonNullable<Config['constraints']>
    readonly useSemicolonDelimiter?: boolean
  }
}

interface Options extends RoutingOptions {
  /** Fastify 5.0 has the router's options at the top level only. */
  readonly router: never
  readonly routerOptions?: RoutingOptions['router']
}

/**
 * The options that were given to `Fastify()`. Fastify publishes them without functions (`initialConfig`), and
 * keeps them complete under a symbol.
 */
export function routingOptionsOf(app: FastifyInstance): RoutingOptions {
  const options = (find(app, 'fastify.options') ?? app.initialConfig) as Options &
    RoutingOptions['router']
  const { rewriteUrl, routerOptions = options } = options
  return { ...(rewriteUrl && { rewriteUrl }), router: routerOptions }
}

/** Fastify makes a server for each further address of `localhost`. Each gives its upgrades to `app.server`. */
export function furtherServersOf(app: FastifyInstance): readonly Server[] {
  return (find(app, 'fastify.serverBindings') ?? []) as readonly Server[]
}

/** A child inherits from its parent. */
function find(app: object, description: string): unknown {
  for (let holder: object | null = app; holder; holder = Object.getPrototypeOf(holder) as object) {
    const symbol = Object.getOwnPropertySymbols(holder).find(
      (own) => own.description === description,
    )
    if (symbol !== undefined) return Reflect.get(holder, symbol)
  }
  return undefined
}
