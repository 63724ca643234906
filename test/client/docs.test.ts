import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import { test } from 'node:test'
import { resolve } from '../../lib/client/options.js'
import { isRetryable } from '../../lib/core/close/retryable.js'
import { FakeWebSocket } from '../support/peers/fake-websocket.js'

const page = readFileSync(new URL('../../docs/client.md', import.meta.url), 'utf8')

test('the page of the client has each option with its default, and no other', () => {
  const table = [...page.matchAll(/^\| `([\w.]+)` +\| (`[^`]*`|[^|]*?) +\| [^|]*\|$/gm)]
  const written = new Map(table.map(([, name = '', cell = '']) => [name, cell.replaceAll('`', '')]))
  // The table of events has the same form.
  for (const event of ['open', 'message', 'lost', 'close']) written.delete(event)
  const { url: _, ...settings } = resolve('wss://test/', { resume: true }, FakeWebSocket)
  const groups = new Set(['backoff', 'liveness'])
  const known = Object.entries(settings).flatMap(([name, value]) => {
    if (typeof value !== 'object' || Array.isArray(value)) return [name]
    const members = Object.keys(value).map((key) => `${name}.${key}`)
    return groups.has(name) ? members : [name].concat(members)
  })
  assert.deepEqual([...written.keys()].toSorted(), known.toSorted())
  for (const [name, cell] of written) {
    const [group = '', key = ''] = name.split('.')
    const value: unknown = (settings as never)[group]
    const inner = key === '' ? value : (value as Record<string, unknown>)[key]
    if (typeof inner === 'number' || name === 'link') assert.equal(cell, String(inner), name)
  }
  const { queue, resume } = resolve('wss://test/', {}, FakeWebSocket)
  assert.deepEqual([written.get('resume'), written.get('queue')], ['false', 'false'])
  assert.deepEqual([resume, queue], [false, false])
})

test('the page of the client names the codes after which it comes back', () => {
  const [, row = ''] = /^\| closed with ([^|]*?) +\| waits, and tries again/m.exec(page) ?? []
  const codes = Array.from({ length: 4_000 }, (_, i) => 1_000 + i)
  assert.deepEqual(row.match(/\d+/g)?.map(Number), codes.filter(isRetryable))
})
