import assert from 'node:assert/strict'
import { test } from 'node:test'
import { alike } from '../../lib/redis/replies.js'

const TABLE: ReadonlyArray<[reply: unknown, alike: unknown]> = [
  ['a', 'a'],
  [1, 1],
  [null, null],
  [2n, 2],
  [Buffer.from('ü'), 'ü'],
  [new Set(['a', Buffer.from('b')]), ['a', 'b']],
  [new Map([['a', [Buffer.from('b')]]]), ['a', ['b']]],
  [Object.assign(Object.create(null), { a: 1n }), ['a', 1]],
  [
    [1n, [null, ['a']]],
    [1, [null, ['a']]],
  ],
]

for (const [reply, expected] of TABLE) {
  test(`${Object.prototype.toString.call(reply)} is alike for all clients`, () => {
    assert.deepEqual(alike(reply), expected)
  })
}
