import assert from 'node:assert/strict'
import { test } from 'node:test'
import { document, figures, quoted } from './figures.js'

test('the document says what the last runs have shown, and none of them shows a violation', () => {
  const text = document()
  const runs = figures()
  assert.equal(
    quoted(text, runs),
    text,
    'docs/reliability.md is out of date: npm run chaos -- --write',
  )
  for (const [name, { violations }] of Object.entries(runs)) {
    assert.ok(text.includes(`<!-- chaos:begin ${name} -->`), name)
    assert.equal(violations, 0, name)
  }
})

test('a quote of a run that there is not is refused', () => {
  const text = '<!-- chaos:begin nothing -->\n\n<!-- chaos:end -->'
  assert.throws(() => quoted(text, {}), /Expected a run of chaos, got nothing/)
})
