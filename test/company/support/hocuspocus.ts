// Hocuspocus: how a server of it is given the sockets of a route, and how its own client edits a document with it.
import assert from 'node:assert/strict'
import { EventEmitter, once } from 'node:events'
import { test, type TestContext } from 'node:test'
import type { HocuspocusProvider, HocuspocusProviderWebsocket } from '@hocuspocus/provider'
import Fastify, { type FastifyInstance, type FastifyRequest } from 'fastify'
import { WebSocket } from 'ws'
import type { Doc } from 'yjs'
import websocketLifecycle from '../../../lib/index.js'
import { link, type Link } from '../../../lib/testing/index.js'
import { endWith } from '../../support/servers/server.js'
import { within } from '../../support/time/bound.js'
import { turns } from '../../support/time/fake-clock.js'
import { until } from '../../support/time/timed.js'
import { Kept } from './kept.js'
import type { Neighbour, Throwing, Visitor } from './five-stages.js'

/** The hooks of an app that the tests need. */
export interface Hooks {
  readonly onAuthenticate: (payload: { documentName: string }) => Promise<void>
  readonly connected: (payload: { socketId: string }) => Promise<void>
  readonly onDisconnect: (payload: { socketId: string }) => Promise<void>
  readonly beforeHandleMessage: (payload: { documentName: string }) => Promise<void>
  readonly onStoreDocument?: () => Promise<void>
  readonly afterUnloadDocument?: () => Promise<void>
}

export interface Collaboration {
  readonly documents: ReadonlyMap<string, Doc>
  /** Takes a socket of a route. */
  readonly take: (socket: WebSocket, request: FastifyRequest) => void
}

/** The packages of one major version. */
export interface Packages {
  readonly provider: {
    readonly HocuspocusProvider: typeof HocuspocusProvider
    readonly HocuspocusProviderWebsocket: typeof HocuspocusProviderWebsocket
  }
  readonly yjs: { readonly Doc: typeof Doc }
  readonly serve: (configuration: Hooks & { quiet: boolean; debounce: number }) => Collaboration
}

export interface Editor extends Visitor {
  /** The user's name of the document that is edited. */
  readonly provider: HocuspocusProvider
  /** Begins to edit another document over the same WebSocket. */
  readonly open: (name: string) => HocuspocusProvider
}

export const ROUTE = '/collaboration'
/** The document that everybody edits. */
const PAGE = 'page'
/** One that nobody may open. */
const FORBIDDEN = 'forbidden'
/** One of which no message is taken. */
const GUARDED = 'guarded'

async function visit(
  t: Pick<TestContext, 'after'>,
  line: Link,
  { provider: { HocuspocusProvider, HocuspocusProviderWebsocket }, yjs }: Packages,
  documentOf: (name: string) => Doc | undefined,
): Promise<Editor> {
  const opened: WebSocket[] = []
  class Visitor extends WebSocket {
    constructor(url: string) {
      super(url)
      opened.push(this)
    }
  }
  const websocketProvider = new HocuspocusProviderWebsocket({
    url: `${line.url}${ROUTE}`,
    WebSocketPolyfill: Visitor,
    // It would come back.
    onClose: () => websocketProvider.disconnect(),
  })
  const providers: HocuspocusProvider[] = []
  t.after(() => {
    for (const { document } of providers) document.destroy()
    for (const provider of providers) provider.destroy()
    websocketProvider.destroy()
    opened[0]?.terminate()
  })
  const open = (name: string): HocuspocusProvider => {
    const document = new yjs.Doc()
    const provider = new HocuspocusProvider({ websocketProvider, name, document, token: 'token' })
    providers.push(provider)
    provider.attach()
    return provider
  }
  const provider = open(PAGE)
  await until(() => provider.isSynced)
  const closed = once(opened[0] as WebSocket, 'close') as Promise<[number]>
  let count = 0
  return {
    provider,
    open,
    closed: closed.then(([code]) => code),
    work: async () => {
      const key = `${provider.document.clientID} ${count++}`
      const mine = provider.document.getMap<string>()
      const theirs = documentOf(PAGE)?.getMap<string>()
      assert.ok(theirs)
      mine.set(key, 'asked')
      await until(() => theirs.get(key) === 'asked')
      theirs.set(key, 'answered')
      await until(() => mine.get(key) === 'answered')
    },
  }
}

/**
 * It keeps each client of a document until its `onDisconnect`.
 * @param more hooks of the app beside those
 */
export function makeHocuspocus(packages: Packages, more: Partial<Hooks> = {}): Neighbour<Editor> {
  const releases = new Map<string, () => void>()
  let keep: () => () => void
  const server = packages.serve({
    quiet: true,
    debounce: 0,
    connected: async ({ socketId }) => void releases.set(socketId, keep()),
    onDisconnect: async ({ socketId }) => releases.get(socketId)?.(),
    onAuthenticate: async ({ documentName }) => throwAt(FORBIDDEN, documentName),
    beforeHandleMessage: async ({ documentName }) => throwAt(GUARDED, documentName),
    ...more,
  })
  return {
    route: ROUTE,
    throws: THROWS,
    add: (app: FastifyInstance, kept) => {
      keep = () => kept.keep()
      app.get(ROUTE, { websocket: true }, (socket, request) => server.take(socket, request))
    },
    visit: async (t, line) => visit(t, line, packages, (name) => server.documents.get(name)),
  }
}

function throwAt(name: string, documentName: string): void {
  if (documentName === name) throw new Error('thrown by the app')
}

/** What throws costs the client that document, and not its connection. */
const THROWS: Readonly<Record<string, Throwing<Editor>>> = {
  onAuthenticate: {
    provoke: async ({ open }) => {
      const refused = open(FORBIDDEN)
      await new Promise((resolve) => refused.on('authenticationFailed', resolve))
    },
    then: 'goes on',
  },
  beforeHandleMessage: {
    provoke: async ({ open }) => {
      const closed = open(GUARDED)
      await new Promise((resolve) => closed.on('close', resolve))
    },
    then: 'goes on',
  },
}

/** That `app.close()` waits for what it stores, with a hook as the page of neighbours has it. */
export function testStoring(what: string, packages: Packages): void {
  test(`app.close() waits for what ${what} stores, if a hook does`, async (t) => {
    let isStored = false
    const unloads = new EventEmitter()
    let documents: Collaboration['documents'] = new Map()
    const neighbour = makeHocuspocus({
      ...packages,
      serve: (configuration) => {
        const served = packages.serve({
          ...configuration,
          debounce: 60_000,
          afterUnloadDocument: async () => void unloads.emit('unload'),
          onStoreDocument: async () => {
            await turns(20)
            isStored = true
          },
        })
        documents = served.documents
        return served
      },
    })
    const app = Fastify()
    endWith(t, app)
    await app.register(websocketLifecycle)
    await neighbour.add(app, new Kept())
    app.addHook('onClose', async () => {
      while (documents.size > 0) await once(unloads, 'unload')
    })
    const editor = await neighbour.visit(t, await link(app))
    await editor.work()
    assert.equal(isStored, false)
    await within(app.close(), 'app.close()')
    assert.ok(isStored)
  })
}
