import assert from 'node:assert/strict'
import { existsSync, readdirSync, readFileSync } from 'node:fs'
import { dirname, join, relative } from 'node:path'
import { test } from 'node:test'
import { fileURLToPath } from 'node:url'

/** The rooms of lib/ by floor, from the ground up. A room imports from floors below its own, and from itself. */
const FLOORS: ReadonlyArray<readonly string[]> = [
  ['core'],
  ['platform'],
  ['time'],
  ['api', 'client', 'errors.ts', 'liveness'],
  ['facts', 'options'],
  ['cluster', 'measures', 'routes', 'shutdown'],
  ['callbacks', 'dashboard', 'metrics', 'otel', 'redis', 'testing'],
  ['messages', 'outbox'],
  ['groups'],
  ['session'],
  ['connection'],
  ['admission'],
  ['plugin'],
  ['index.ts'],
]

const lib = fileURLToPath(new URL('../../lib/', import.meta.url))
const IMPORT = /(?:from |import\()'(\.[^']+)'/g

const roomOf = (file: string): string => file.split('/', 1).join()
const floorOf = (file: string): number => FLOORS.findIndex((rooms) => rooms.includes(roomOf(file)))

test('no room of lib/ imports from its own floor or from above', () => {
  const wrong: string[] = []
  for (const file of readdirSync(lib, { recursive: true, encoding: 'utf8' })) {
    if (!file.endsWith('.ts')) continue
    assert.notEqual(floorOf(file), -1, `lib/${file} is in no room`)
    for (const [, specifier = ''] of readFileSync(join(lib, file), 'utf8').matchAll(IMPORT)) {
      const target = relative(lib, join(lib, dirname(file), specifier)).replace(/\.js$/, '.ts')
      const isWithin = roomOf(target) === roomOf(file)
      if (!isWithin && floorOf(target) >= floorOf(file)) wrong.push(`${file} -> ${target}`)
    }
  }
  assert.deepEqual(wrong, [])
})

test('each room of lib/ says in a few lines what it owns, who calls it, and what it never does', () => {
  const folders = readdirSync(lib, { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isDirectory())
    .map((entry) => join(entry.parentPath, entry.name))
  assert.ok(folders.length > FLOORS.length)
  for (const folder of folders) {
    const readme = join(folder, 'README.md')
    assert.ok(existsSync(readme), readme)
    const lines = readFileSync(readme, 'utf8').trim().split('\n')
    assert.ok(lines.length <= 8, `${readme} has ${lines.length} lines`)
  }
})

test('nobody outside of facts/ writes to a log: lines have names, and stand in one file', () => {
  const LINE = /\.(?:trace|debug|info|warn|error|fatal)\(/
  const files = readdirSync(lib, { recursive: true, encoding: 'utf8' })
  const writing = files
    .filter((file) => file.endsWith('.ts') && roomOf(file) !== 'facts')
    .filter((file) => LINE.test(readFileSync(join(lib, file), 'utf8')))
  assert.deepEqual(writing, [])
})

test('a file of tests has at most 400 lines', () => {
  const tests = fileURLToPath(new URL('../', import.meta.url))
  const long = readdirSync(tests, { recursive: true, encoding: 'utf8' })
    .filter((file) => file.endsWith('.ts'))
    .filter((file) => readFileSync(join(tests, file), 'utf8').trimEnd().split('\n').length > 400)
  assert.deepEqual(long, [])
})
