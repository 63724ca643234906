// Patterns of origins: those that reach to the end, and what others would become.
import assert from 'node:assert/strict'
import { test } from 'node:test'
import * as fc from 'fast-check'
import { anchor, isAnchored } from '../../../lib/core/admission/origin.js'

/** A pattern as it is written, and what it has to become to reach to the end; `true` if it does. */
const PATTERNS: ReadonlyArray<readonly [pattern: RegExp, anchored: true | string]> = [
  [/^https:\/\/app\.example$/, true],
  [/^https:\/\/app\.example/, '/^https:\\/\\/app\\.example$/'],
  [/app/i, '/app$/i'],
  [/$/, true],
  [new RegExp(''), '/(?:)$/'],
  // Alternatives: each of them for itself.
  [/^a$|^b$/, true],
  [/^a$|^b/, '/(?:^a$|^b)$/'],
  [/^a|^b$/, '/(?:^a|^b$)$/'],
  [/^a$|^b$|c/, '/(?:^a$|^b$|c)$/'],
  [/^a$|/, '/(?:^a$|)$/'],
  [/|^a$/, '/(?:|^a$)$/'],
  // In a group they are one.
  [/^(a|b)$/, true],
  [/^(?:a|(b|c))$/, true],
  [/^(?:a|b)$|c$/, true],
  [/^(?<name>a|b)\k<name>$/, true],
  [/(^a$|^b$)/, '/(^a$|^b$)$/'],
  [/(?:^a$)|(?:^b$)/, '/(?:(?:^a$)|(?:^b$))$/'],
  [/a(?=$)/, '/a(?=$)$/'],
  [/a(?!b$)/, '/a(?!b$)$/'],
  [/^a(?:$)?/, '/^a(?:$)?$/'],
  // Escaped, a `$` is a dollar, a `|` and a parenthesis are themselves.
  [/^a\$/, '/^a\\$$/'],
  [/^a\\$/, true],
  [/^a\\\$/, '/^a\\\\\\$$/'],
  [/^a\|b$/, true],
  [/^a\|b\$|c$/, '/(?:^a\\|b\\$|c$)$/'],
  [/^\(a|b$/, '/(?:^\\(a|b$)$/'],
  [/^(a\)|b)$/, true],
  // In a class they are, too.
  [/^[$]/, '/^[$]$/'],
  [/^[|]$/, true],
  [/^[(]|b$/, '/(?:^[(]|b$)$/'],
  [/^[)]$|(b|c)$/, true],
  [/^[\]|]$/, true],
  [/^[\\]|b$/, '/(?:^[\\\\]|b$)$/'],
  [/^[[]|b$/, '/(?:^[[]|b$)$/'],
  [/^[^]|b$/, '/(?:^[^]|b$)$/'],
  [new RegExp('^[]$|b$'), true],
  // With flags.
  [/^a$/i, true],
  [/^\u{61}$/u, true],
  [/^\p{L}|\u{1f600}$/u, '/(?:^\\p{L}|\\u{1f600}$)$/u'],
  [new RegExp('^[\\w--[_]]$', 'v'), true],
  [new RegExp('^[[a-z]&&[^x]]', 'v'), '/^[[a-z]&&[^x]]$/v'],
  [/^a\n|b/m, '/(?:^a\\n|b)$/m'],
]

for (const [pattern, anchored] of PATTERNS) {
  const to = anchored === true ? 'reaches to the end' : `would reach to the end as ${anchored}`
  test(`pattern ${String(pattern)} ${to}`, () => {
    assert.equal(isAnchored(pattern), anchored === true)
    if (anchored !== true) assert.equal(String(anchor(pattern)), anchored)
    assert.equal(isAnchored(anchor(pattern)), true)
  })
}

/** Sources of patterns that are made of what is hard to tell apart. */
const { source } = fc.letrec<{ source: string; sequence: string; part: string; group: string }>(
  (tie) => ({
    source: fc.array(tie('sequence'), { minLength: 1, maxLength: 3 }).map((all) => all.join('|')),
    sequence: fc.array(tie('part'), { maxLength: 4 }).map((all) => all.join('')),
    part: fc.oneof(
      { depthSize: 'small' },
      fc.constantFrom('a', 'b', '.', '$', '^', '\\$', '\\|', '\\\\', '\\(', '\\)'),
      fc.constantFrom('[$|]', '[()]', '[^\\]]', '[[|]', '[\\\\]', '[^]', '[]', '\\[', ']'),
      tie('group'),
    ),
    group: fc
      .tuple(fc.constantFrom('', '?:', '?=', '?!', '?<!'), tie('source'), fc.constantFrom('', '*'))
      // No looking behind may be repeated.
      .map(([kind, inner, times]) => `(${kind}${inner})${kind === '?<!' ? '' : times}`),
  }),
)
const subjects = fc.string({ unit: fc.constantFrom(...'ab$|\\()[]'.split('')), maxLength: 8 })

test('a pattern that is taken for anchored matches nothing that does not reach to the end', () => {
  fc.assert(
    fc.property(source, subjects, (source, subject) => {
      const given = new RegExp(source)
      const pattern = isAnchored(given) ? given : anchor(given)
      for (const match of subject.matchAll(new RegExp(pattern, 'g'))) {
        assert.equal(match.index + match[0].length, subject.length)
      }
    }),
    { numRuns: 5_000 },
  )
})

test('anchored, a pattern matches where it matched up to the end, and is taken for anchored', () => {
  fc.assert(
    fc.property(source, subjects, (source, subject) => {
      const anchored = anchor(new RegExp(source))
      assert.equal(isAnchored(anchored), true)
      assert.equal(anchored.test(subject), new RegExp(`(?:${source})$`).test(subject))
    }),
    { numRuns: 5_000 },
  )
})
