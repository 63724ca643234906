import assert from 'node:assert/strict'
import { Socket } from 'node:net'
import { test } from 'node:test'
import { MOST_COPIED, MOST_HELD } from '../../lib/core/budgets.js'
import { frameOf, Frames } from '../../lib/outbox/frames.js'

test('what finds no room is not taken, and leaves what is there as it is', () => {
  for (const message of [
    'x'.repeat(500),
    '€'.repeat(500),
    Buffer.alloc(500),
    '€'.repeat(MOST_COPIED),
    Buffer.alloc(MOST_COPIED),
  ]) {
    const frames = new Frames()
    const socket = new Socket()
    const added: number[] = []
    while (added.at(-1) !== 0) added.push(frames.add(socket, message, false))
    const taken = added.reduce((sum, bytes) => sum + bytes, 0)
    assert.ok(taken > MOST_HELD, 'all that a turn holds back has room')
    assert.ok(taken <= MOST_HELD + 3 * MOST_COPIED + 4)
    assert.equal(frames.bytesOf(socket), taken)
  }
})

test('a frame holds what was written, also where that is less than was said', (t) => {
  assert.deepEqual([...frameOf('grüezi', false)], [0x81, 7, ...Buffer.from('grüezi')])
  t.mock.method(Buffer, 'byteLength', () => 100)
  const frame = frameOf('abc', false)
  assert.deepEqual([...frame], [0x81, 3, ...Buffer.from('abc')])
})
