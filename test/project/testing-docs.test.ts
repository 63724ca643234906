import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import { test } from 'node:test'
import { CLOSE_CAUSES } from '../../lib/core/close/policy.js'
import * as testing from '../../lib/testing/index.js'

const read = (path: string): string =>
  readFileSync(new URL(`../../${path}`, import.meta.url), 'utf8')

test('the page of disconnects has a test for each cause, and shows what is run', () => {
  const page = read('docs/testing-disconnects.md')
  const example = read('examples/disconnects.test.ts')
  const blocks = [...page.matchAll(/```typescript\n([^]*?)\n```/g)].map(([, block = '']) => block)
  const parts = blocks.flatMap((block) => block.split(/\n\n(?=\S)/))
  assert.deepEqual(
    parts.filter((part) => !example.includes(part)),
    [],
  )
  const shown = [...blocks.join('\n').matchAll(/^test\('([\w-]+): /gm)].map(([, cause]) => cause)
  assert.deepEqual(new Set(shown), new Set<string | undefined>(CLOSE_CAUSES))
})

test('the page of testing has everything that the subpath exports', () => {
  const page = read('docs/testing.md')
  for (const name of Object.keys(testing)) {
    if (name !== 'SomethingLeftError') assert.ok(page.includes(name), name)
  }
})
