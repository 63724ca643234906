import { OURS_TO_SET } from '../platform/ws-options.js'
import { didYouMean, refuse, refuseName } from './complaints.js'
import { isNearMiss } from './near-names.js'
import { meantBy, plain } from './other-names.js'
import { PLUGIN_CHECKS, ROUTE_CHECKS } from './tables.js'
import { KNOWN_TO_WS } from './websocket.js'

/** What an option of the plugin is that is none; `undefined` where nothing is known of it. */
export function hintForPlugin(name: string): string | undefined {
  const ofRoute = ROUTES_OWN.find((each) => plain(each) === plain(name))
  if (ofRoute !== undefined) return `\`${ofRoute}\` is an option of a route`
  if (isIn(KNOWN_TO_WS, name)) return didYouMean(`\`websocket.${name}\``)
  if (isIn(OURS_TO_SET, name)) return 'leave it out: the server and its paths are those of Fastify'
  const meant = meantBy(name)
  return meant === undefined ? undefined : didYouMean(meant)
}

/**
 * The options of a route are open: other plugins have theirs there. Refused is what cannot be one of those: a name of ours with
 * a slip in it, and what has its place in the plugin.
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
 * @fastify/websocket takes whatever is truthy for `true`, and drops the rest of it.
 * @throws FST_ERR_WSL_INVALID_OPTION
 */
export function checkFlag(flag: unknown, url: string): void {
  if (!flag || flag === true) return
  const expected = 'true (options for ws belong into `websocket` of the plugin)'
  refuse('websocket', { expected }, flag, `the options of route GET ${url}`)
}

/** As `RouteOptions` of Fastify has it, too, `websocket` says what a route is. */
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
