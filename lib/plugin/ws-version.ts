import { createRequire } from 'node:module'
import { WebSocket, type WebSocketServer } from 'ws'
import { wsTooOld } from '../errors.js'
import { ignoresPieces } from '../platform/ws-socket.js'

/** The oldest ws that works for us. A test holds it to the version in our dependencies. */
export const NEEDED = '8.23.0'

/** A copy of ws that takes part in every connection. */
interface Copy {
  readonly foundBy: string
  /** `undefined` if it cannot be read. */
  readonly version: string | undefined
  /** Whether its source shows that it has no bounds for the pieces of a message. */
  readonly isLax: boolean
}

/**
 * Refuses a ws that is older than {@link NEEDED}. An app may have pinned one. It accepts the options that
 * bound the pieces of a message, and ignores them. There may be two copies: ours, whose sockets read, and the
 * one of `@fastify/websocket`, whose server passes the options on.
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

/** The `require` of a module: it finds what that module finds. */
interface Here {
  readonly load: NodeJS.Require
}

/**
 * Reads the version of the ws that a module finds, but only if that is the copy which runs. In a bundled app
 * it is not: the module is at another place, and finds nothing or some other ws. In a package that was made
 * CommonJS, no module can tell its place.
 * @returns `undefined` if it cannot be read
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
  // The loader of the tests adds a branch to each import().
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
