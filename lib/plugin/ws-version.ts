import { createRequire } from 'node:module'
import { WebSocket, type WebSocketServer } from 'ws'
import { wsTooOld } from '../errors.js'
import { ignoresPieces } from '../platform/ws-socket.js'

/** The oldest ws that will do: that of our dependencies, to which a test holds it. */
export const NEEDED = '8.23.0'

/** A ws that takes part in every connection. */
interface Copy {
  readonly foundBy: string
  /** `undefined` where it cannot be read. */
  readonly version: string | undefined
  /** Whether it is seen to know no limits for the pieces of a message. */
  readonly isLax: boolean
}

/**
 * Refuses a ws that is older than the one we ask for, as there is where an app pins it: it takes the limits for
 * the pieces of a message, and knows nothing of them. There may be two: ours, whose sockets read, and that of
 * `@fastify/websocket`, whose server hands the limits to them.
 * @throws FST_ERR_WSL_WS_VERSION
 */
export async function refuseOlderWs(server: WebSocketServer): Promise<void> {
  refuseOlder({
    foundBy: 'fastify-websocket-lifecycle',
    version: await versionOf(ours, (found) => found === WebSocket),
    isLax: ignoresPieces(WebSocket.prototype),
  })
  refuseOlder({
    foundBy: '@fastify/websocket',
    version: await versionOf(
      theirs,
      (found) => Reflect.get(found, 'Server') === server.constructor,
    ),
    isLax: ignoresPieces(server),
  })
}

export function refuseOlder({ foundBy, version, isLax }: Copy): void {
  if (version === undefined ? isLax : isOlder(version, NEEDED)) {
    throw wsTooOld(NEEDED, foundBy, version ?? 'one whose version cannot be read')
  }
}

/** What a module finds. */
interface Here {
  readonly load: NodeJS.Require
}

/**
 * Reads it beside the ws that a module finds, if that is the one which runs. In a bundled app it is not: there the
 * module stands elsewhere and finds nothing, or some other ws. Where we have been made CommonJS no module says where it is.
 */
export async function versionOf(
  module: () => Promise<Here>,
  isRunning: (found: object) => boolean,
): Promise<string | undefined> {
  try {
    const { load } = await module()
    if (!isRunning(load('ws') as object)) return undefined
    return (load('ws/package.json') as { version: string }).version
  } catch {
    return undefined
  }
}

async function ours(): Promise<Here> {
  // The tests' loader adds a branch to each import().
  /* c8 ignore next */
  return import('../platform/here.js')
}

async function theirs(): Promise<Here> {
  const { load } = await ours()
  return { load: createRequire(load.resolve('@fastify/websocket')) }
}

function isOlder(version: string, than: string): boolean {
  return version.localeCompare(than, 'en', { numeric: true }) < 0
}
