// The page about metrics, held to the truth.
import assert from 'node:assert/strict'
import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { test } from 'node:test'
import { HISTOGRAMS, type Instrument, NUMBERS } from '../../lib/measures/instruments.js'
import { nameOf } from '../../lib/metrics/names.js'
import { root } from '../support/servers/tarball.js'

function rowOf(instrument: Instrument, kind: string): string[] {
  return [nameOf(instrument, kind), kind, instrument.labels.join(', '), instrument.help]
}

test('the page has a row for each metric: its name, type, labels, and what it says', async () => {
  const page = await readFile(join(root, 'docs/metrics.md'), 'utf8')
  const rows = page
    .split('\n')
    .filter((line) => line.startsWith('| `websocket_'))
    .map((line) => line.split('|').slice(1, -1))
    .map((cells) => cells.map((cell) => cell.trim().replaceAll('`', '')))
  assert.deepEqual(rows, [
    ...Object.values(NUMBERS).map((each) => rowOf(each, each.kind)),
    ...Object.values(HISTOGRAMS).map((each) => rowOf(each, 'histogram')),
  ])
})
