import { OURS_TO_SET } from '../platform/ws-options.js'
import { didYouMean, refuse, refuseName } from './complaints.js'
import { isNearMiss } from './near-names.js'
import { meantBy, plain } from './other-names.js'
import { PLUGIN_CHECKS, ROUTE_CHECKS } from './tables.js'
import { KNOWN_TO_WS } from './websocket.js'

/** A hint about a name that is no option of the plugin; `undefined` if nothing is known of it. */
export function hintForPlugin(name: string): string | undefined {
  const ofRoute = ROUTES_OWN.find((each) => plain(each) === plain(name))
  if (ofRoute !== undefined) return `\`${ofRoute}\` is an option of a route`
  if (isIn(KNOWN_TO_WS, name)) return didYouMean(`\`websocket.${name}\``)
  if (isIn(OURS_TO_SET, name)) return 'leave it out: the server and its paths are those of Fastify'
  const meant = meantBy(name)
  return meant === undefined ? undefined : didYouMean(meant)
}

/**
 * Refuses names in the options of a route that cannot belong to another plugin: a name of ours with a typing
 * error, or an option of the plugin. All other names are left alone, because other plugins have options
 * there.
 * @throws FST_ERR_WSL_INVALID_OPTION
 */
export function refuseMisplaced(options: object, where: string): void {
  for (const name of Object.keys(options)) {
    const hint = hintForRoute(name)
    if (hint !== undefined && Reflect.get(options, name) !== undefined) {
      refuseName(name, hint, where)
    }
  }
}

/**
 * Checks that a route's `websocket` is `true`, or falsy. @fastify/websocket treats any truthy value as
 * `true`, and ignores what is in it.
 * @throws FST_ERR_WSL_INVALID_OPTION
 */
export function checkFlag(flag: unknown, url: string): void {
  if (!flag || flag === true) return
  const expected = 'true (options for ws belong into `websocket` of the plugin)'
  refuse('websocket', { expected }, flag, `the options of route GET ${url}`)
}

/**
 * Names that are right in the options of a route. `websocket` is one of Fastify's: it says that the route
 * takes WebSockets.
 */
const KNOWN: readonly string[] = [...Object.keys(ROUTE_CHECKS), 'websocket']
const ROUTES_OWN = Object.keys(ROUTE_CHECKS).filter((name) => !Object.hasOwn(PLUGIN_CHECKS, name))
const PLUGINS_OWN = Object.keys(PLUGIN_CHECKS).filter((name) => !KNOWN.includes(name))

function hintForRoute(name: string): string | undefined {
  if (KNOWN.includes(name)) return undefined
  if (isIn(KNOWN_TO_WS, name)) return didYouMean(`\`websocket.${name}\` of the plugin`)
  if (PLUGINS_OWN.includes(name)) return 'it is an option of the plugin, for all routes'
  const meant = [...KNOWN, ...PLUGINS_OWN].find((known) => isNearMiss(name, known))
  if (meant === undefined) return undefined
  return didYouMean(PLUGINS_OWN.includes(meant) ? `\`${meant}\` of the plugin` : `\`${meant}\``)
}

function isIn(names: readonly string[], name: string): boolean {
  return names.includes(name)
}
