// Options as the plugin resolves them, and as it refuses them.
import { resolvePluginOptions, resolveRouteOptions } from '../../../lib/options/resolve.js'
import type { PluginSettings, RouteSettings } from '../../../lib/options/settings.js'

export const PLUGIN: string = 'the options of the plugin'
export const ROUTE: string = 'the options of route GET /rooms/:id'
export const LONGEST: number = 2 ** 31 - 1

/** For what JavaScript users may pass. */
export function plugin(options: object = {}): PluginSettings {
  return resolvePluginOptions(options)
}

export function route(options: object = {}, base: object = {}): RouteSettings {
  return resolveRouteOptions(options, plugin(base).route, '/rooms/:id')
}

/** The error that says so. */
export function invalid(message: string): object {
  return { code: 'FST_ERR_WSL_INVALID_OPTION', statusCode: 500, message }
}
