import assert from 'node:assert/strict'
import { Socket } from 'node:net'
import { test } from 'node:test'
import { Frames } from '../lib/frames.js'

test('what finds no room is not taken, and leaves what is there as it is', () => {
  for (const message of ['x'.repeat(500), '€'.repeat(500), Buffer.alloc(500)]) {
    const frames = new Frames()
    const socket = new Socket()
    const added: number[] = []
    while (added.at(-1) !== 0) added.push(frames.add(socket, message, false))
    const taken = added.reduce((sum, bytes) => sum + bytes, 0)
    assert.ok(taken > 16 * 1024, 'all that a turn holds back has room')
    assert.ok(taken <= 18 * 1024)
    assert.equal(frames.bytesOf(socket), taken)
  }
})

test('only strings and bytes are taken, and only short ones', () => {
  const frames = new Frames()
  const socket = new Socket()
  for (const message of [
    'x'.repeat(513),
    Buffer.alloc(513),
    new ArrayBuffer(1),
    new Blob([]),
    42,
  ]) {
    assert.equal(frames.add(socket, message, false), 0)
  }
  assert.equal(frames.bytesOf(socket), 0)
})
