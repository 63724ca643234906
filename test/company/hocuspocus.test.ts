// @hocuspocus/server 3, the newest that Node 20 may install: a document that many edit, over connections of ours.
import assert from 'node:assert/strict'
import { EventEmitter, once } from 'node:events'
import { test } from 'node:test'
import { Hocuspocus } from '@hocuspocus/server'
import Fastify from 'fastify'
import websocketLifecycle from '../../lib/index.js'
import { link } from '../../lib/testing/index.js'
import { start } from '../support/servers/program.js'
import { endWith } from '../support/servers/server.js'
import { within } from '../support/time/bound.js'
import { describeFiveStages } from './support/five-stages.js'
import { makeHocuspocus } from './support/hocuspocus.js'
import { Kept } from './support/kept.js'
import { collaborationOf, three } from './support/hocuspocus-3.js'

describeFiveStages('@hocuspocus/server 3', () => makeHocuspocus(three))

test('awaits none of some hooks, with or without us: an error in them is an unhandled rejection', async (t) => {
  const program = start(t, 'test/company/support/hocuspocus-crash.ts')
  const unhandled = new Set<string>()
  while (unhandled.size < 4)
    unhandled.add(await within(program.line('unhandled'), 'one more', 60_000))
  assert.deepEqual(
    [...unhandled].toSorted(),
    ['onChange', 'onDisconnect', 'onStateless', 'onStoreDocument'].map(
      (hook) => `unhandled: ${hook}`,
    ),
  )
})

test('app.close() waits for documents that are stored, with a hook as the page has it', async (t) => {
  let isStored = false
  const unloads = new EventEmitter()
  const hocuspocus = new Hocuspocus({
    quiet: true,
    afterUnloadDocument: async () => void unloads.emit('unload'),
    onStoreDocument: async () => {
      await new Promise((resolve) => setTimeout(resolve, 50))
      isStored = true
    },
  })
  const neighbour = makeHocuspocus({ ...three, serve: () => collaborationOf(hocuspocus) })
  const app = Fastify()
  endWith(t, app)
  await app.register(websocketLifecycle)
  await neighbour.add(app, new Kept())
  app.addHook('onClose', async () => {
    while (hocuspocus.getDocumentsCount() > 0) await once(unloads, 'unload')
  })
  const editor = await neighbour.visit(t, await link(app))
  await editor.work()
  await within(app.close(), 'app.close()')
  assert.ok(isStored)
})
