import assert from 'node:assert/strict'
import { test } from 'node:test'
import { runInNewContext } from 'node:vm'
import * as fc from 'fast-check'
import { notJson } from '../../../lib/core/cluster/json.js'

function circle(): object {
  const self: Record<string, unknown> = {}
  self['self'] = self
  return self
}

const WRONG: ReadonlyArray<readonly [string, unknown, string]> = [
  ['nothing', undefined, 'undefined'],
  ['a number that is none', NaN, 'NaN'],
  ['one without end', { a: [-Infinity] }, '-Infinity at .a[0]'],
  ['a bigint', { a: 1n }, 'a bigint at .a'],
  ['a function', [() => {}], 'a function at [0]'],
  ['a symbol', { a: { b: Symbol('s') } }, 'a symbol at .a.b'],
  ['a hole', [1, undefined], 'undefined at [1]'],
  ['a date', { at: new Date() }, 'an instance of a class at .at'],
  ['a map', new Map(), 'an instance of a class'],
  ['what says itself how it is written', { toJSON: () => 1 }, 'a function at .toJSON'],
  ['a circle', circle(), 'more than 64 levels'],
]

for (const [what, value, wrong] of WRONG) {
  test(`JSON does not carry ${what}`, () => {
    assert.equal(notJson(value), wrong)
  })
}

test('JSON carries its own', () => {
  fc.assert(
    fc.property(fc.jsonValue(), (value) => {
      assert.equal(notJson(value), undefined)
    }),
  )
})

test('a property that is undefined is as if it were not there', () => {
  assert.equal(notJson({ a: undefined, b: null }), undefined)
})

test('objects without a prototype, and of another realm, are like others', () => {
  assert.equal(notJson(Object.assign(Object.create(null), { a: 1 })), undefined)
  assert.equal(notJson(runInNewContext('({ a: [1] })')), undefined)
})
