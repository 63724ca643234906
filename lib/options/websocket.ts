import type { PerMessageDeflateOptions } from 'ws'
import type { WebsocketLifecycleOptions } from '../api/options.js'
import { invalidOption } from '../errors.js'
import { OURS_TO_SET } from '../platform/ws-options.js'
import { GROUP } from './check.js'
import { show } from './complaints.js'
import { read } from './group.js'
import type { WebsocketSettings } from './settings.js'
import { WEBSOCKET_CHECKS } from './tables.js'

type WebsocketOptions = NonNullable<WebsocketLifecycleOptions['websocket']>

/** The options of ws's server, without those that only we may set. */
export const KNOWN_TO_WS = [
  'allowSynchronousEvents',
  'autoPong',
  'clientTracking',
  'handleProtocols',
  'maxBufferedChunks',
  'maxFragments',
  'maxPayload',
  'maxPendingAutoPongs',
  'perMessageDeflate',
  'skipUTF8Validation',
  'verifyClient',
] as const

/** The options of ws's compression. */
const KNOWN_TO_DEFLATE: Readonly<Record<keyof PerMessageDeflateOptions, true>> = {
  serverNoContextTakeover: true,
  clientNoContextTakeover: true,
  serverMaxWindowBits: true,
  clientMaxWindowBits: true,
  zlibDeflateOptions: true,
  zlibInflateOptions: true,
  threshold: true,
  concurrencyLimit: true,
}

/**
 * Resolves the `websocket` option. ws itself checks most of it. We check the options that only we may set,
 * and bounds that ws would treat as none.
 * @throws FST_ERR_WSL_INVALID_OPTION
 */
export function resolveWebsocket(
  options: WebsocketOptions | undefined,
  base: Pick<WebsocketSettings, 'maxPayload'>,
  where: string,
): WebsocketSettings {
  if (options === undefined) return base
  for (const name of OURS_TO_SET) {
    if (name in options) {
      throw invalidOption(
        `Expected \`websocket\` to leave \`${name}\` to the plugin, got ${show(Reflect.get(options, name))}, in ${where}`,
      )
    }
  }
  const given = ownCopy(options, KNOWN_TO_WS)
  const { perMessageDeflate } = given
  if (GROUP.accepts(perMessageDeflate)) {
    given.perMessageDeflate = ownCopy(perMessageDeflate as object, Object.keys(KNOWN_TO_DEFLATE))
  }
  const { maxPayload = base.maxPayload } = read(given, WEBSOCKET_CHECKS, 'websocket.', where)
  return { ...given, maxPayload }
}

/** A copy with own members only, also of those that are inherited: ws copies own members only. */
function ownCopy<Options extends object>(options: Options, known: readonly string[]): Options {
  const names = new Set([...known, ...Object.keys(options)])
  const members = [...names].map((name) => [name, Reflect.get(options, name) as unknown] as const)
  return Object.fromEntries(members.filter(([, value]) => value !== undefined)) as Options
}
