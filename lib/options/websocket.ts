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

/** What ws's server knows, beside what is ours to set. */
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

/** What ws's compression knows. */
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
 * ws reads these itself, but for what is ours to set, and a limit that it would take for none.
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

/** ws copies what it is given, and its copy has own members only: so inherited ones are made own. */
function ownCopy<Options extends object>(options: Options, known: readonly string[]): Options {
  const names = new Set([...known, ...Object.keys(options)])
  const members = [...names].map((name) => [name, Reflect.get(options, name) as unknown] as const)
  return Object.fromEntries(members.filter(([, value]) => value !== undefined)) as Options
}
