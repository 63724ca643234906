// @hocuspocus/server 3, the newest that Node 20 may install: a document that many edit, over connections of ours.
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { start } from '../support/servers/program.js'
import { within } from '../support/time/bound.js'
import { describeFiveStages } from './support/five-stages.js'
import { makeHocuspocus, testStoring } from './support/hocuspocus.js'
import { three } from './support/hocuspocus-3.js'

describeFiveStages('@hocuspocus/server 3', () => makeHocuspocus(three))
testStoring('@hocuspocus/server 3', three)

test('awaits none of some hooks, with or without us: an error in them is an unhandled rejection', async (t) => {
  const hooks = ['onAwarenessUpdate', 'onChange', 'onDisconnect', 'onStateless', 'onStoreDocument']
  const program = start(t, 'test/company/support/hocuspocus-crash.ts')
  const unhandled = new Set<string>()
  while (unhandled.size < hooks.length) {
    unhandled.add(await within(program.line('unhandled'), 'one more', 60_000))
  }
  assert.deepEqual(
    [...unhandled].toSorted(),
    hooks.map((hook) => `unhandled: ${hook}`),
  )
})
