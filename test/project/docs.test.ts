import assert from 'node:assert/strict'
import { existsSync, readdirSync, readFileSync } from 'node:fs'
import { posix } from 'node:path'
import { test } from 'node:test'
import { isRetryable } from '../../lib/core/close/codes.js'
import { CLOSE_CAUSES, POLICY } from '../../lib/core/close/policy.js'
import { DEFAULTS } from '../../lib/options/defaults.js'

const read = (path: string): string =>
  readFileSync(new URL(`../../${path}`, import.meta.url), 'utf8')

/** The rows of all tables of a page that have a name in backquotes: that name, and the cell behind it. */
function rowsOf(path: string): Map<string, string> {
  const rows = read(path)
    .split('\n')
    .filter((line) => line.startsWith('|'))
    .map((line) => line.split('|').map((cell) => cell.trim()))
  return new Map(
    rows.flatMap((cells) => {
      const name = cells.findIndex((cell) => /^`[\w.]+`$/.test(cell))
      return name === -1 ? [] : [[code(cells[name]), code(cells[name + 1])]]
    }),
  )
}

function code(cell = ''): string {
  return /`([^`]*)`/.exec(cell)?.[1] ?? cell.trim()
}

/** `{ a: { b: 1 } }` as `a.b` → 1, but for arrays and what is handed on to ws. */
function flatten(value: object, prefix = ''): Array<[string, unknown]> {
  return Object.entries(value).flatMap(([name, inner]: [string, unknown]) =>
    typeof inner === 'object' && inner !== null && !Array.isArray(inner) && name !== 'websocket'
      ? flatten(inner, `${prefix}${name}.`)
      : [[prefix + name, inner] as [string, unknown]],
  )
}

/** A default as the table writes it, read as JavaScript reads it. */
function parse(cell: string): unknown {
  if (cell === 'Infinity') return Infinity
  return JSON.parse(cell.replaceAll("'", '"').replaceAll(/(\w+):/g, '"$1":'))
}

test('the page of close frames has each cause that one tells, and says who should come back', () => {
  const rows = read('docs/close-codes.md')
    .split('\n')
    .filter((line) => line.startsWith('| ') && line.includes('`'))
    .map((row) => row.split('|').map((cell) => cell.trim()))
    .filter(([, , codes = '']) => /\d{4}/.test(codes))
    .map(([, , codes = '', reason, retry]) => ({ codes, reason: code(reason), retry }))
  const reasons = new Set(rows.map(({ reason }) => reason))
  const silent = /^(client|server|shutdown|heartbeat|connection)/
  const told = CLOSE_CAUSES.filter((cause) => !silent.test(cause))
  assert.deepEqual(
    [...told, 'invalid-message', 'origin', 'limit', 'key'].filter((one) => !reasons.has(one)),
    [],
  )
  for (const { codes, reason, retry } of rows) {
    for (const each of codes.match(/\d{4}/g) ?? []) {
      assert.equal(retry, isRetryable(Number(each)) ? 'yes' : 'no', `${each} ${reason}`)
    }
  }
})

test('the page of options has every default, and each is true', () => {
  const table = rowsOf('docs/options.md')
  for (const [name, value] of flatten(DEFAULTS)) {
    const cell = table.get(name)
    assert.notEqual(cell, undefined, `${name} is not in a table`)
    assert.deepEqual(parse(cell ?? ''), value, name)
  }
})

const WITHOUT_DEFAULT = [
  'cluster.durable.data',
  'cluster.durable.name',
  'cluster.durable.release',
  'cluster.durable.whenCutOff', // test/project/cluster-docs.test.ts
  'expiresAt',
  'groups',
  'maxConnectionsPerKey',
  'onMessage',
  'onInvalidMessage',
  'resume.key',
  'onSuspend',
  'onResume',
  'onUnexpectedClose',
  'onClose',
  'onShutdown',
  'onHandlerError',
  'ignoreUpgrade',
  'keepalive',
]

test('the page of options has each option, and no other', () => {
  const known = new Set([...flatten(DEFAULTS).map(([name]) => name), ...WITHOUT_DEFAULT])
  assert.deepEqual(new Set(rowsOf('docs/options.md').keys()), known)
  const byName = [...read('docs/options.md').matchAll(/\[([\w.]+)\]\(#/g)].map(([, name]) => name)
  assert.deepEqual(new Set(byName), known)
})

test('the README says of ten options what the page of options says', () => {
  const all = rowsOf('docs/options.md')
  const first = rowsOf('README.md')
  assert.equal(first.size, 10)
  for (const [name, value] of first) assert.equal(value, all.get(name), name)
})

test('the page of errors has a line for each code and no other', () => {
  const inCode = new Set(read('lib/errors.ts').match(/FST_ERR_WSL_\w+/g))
  assert.deepEqual(new Set(rowsOf('docs/errors.md').keys()), inCode)
})

test('the page of endings names every cause, and says who begins each', () => {
  const page = read('docs/endings.md')
  for (const cause of CLOSE_CAUSES) {
    assert.match(page, new RegExp(`^\\| \`${cause}\`.*\\| ${POLICY[cause].initiator} +\\|`, 'm'))
  }
})

test('the README has at most 250 lines and 15 kB, and a page at most 250 lines', () => {
  assert.ok(Buffer.byteLength(read('README.md')) <= 15_000)
  for (const page of pages) {
    if (page === 'CHANGELOG.md') continue
    assert.ok(read(page).trimEnd().split('\n').length <= 250, page)
  }
})

test('the README leads to every page', () => {
  const readme = read('README.md')
  assert.deepEqual(
    pagesIn('docs').filter((page) => !readme.includes(`](${page}`)),
    [],
  )
})

test('the code of the README is an example that is run', () => {
  const [, block = ''] = /```ts\n([^]*?)```/.exec(read('README.md')) ?? []
  assert.ok(read('examples/first.ts').endsWith(block))
})

/** The names by which GitHub links to the sections of a page. */
function headingsOf(page: string): ReadonlySet<string> {
  return new Set(
    [...page.matchAll(/^##+ (.*)$/gm)].map(([, text = '']) =>
      text
        .toLowerCase()
        .replaceAll(/[^\w -]/g, '')
        .replaceAll(' ', '-'),
    ),
  )
}

const pages = [
  'README.md',
  'CONTRIBUTING.md',
  'CHANGELOG.md',
  'SECURITY.md',
  ...pagesIn('docs'),
  ...pagesIn('docs/internals'),
]

function pagesIn(folder: string): string[] {
  return readdirSync(new URL(`../../${folder}`, import.meta.url))
    .filter((name) => name.endsWith('.md'))
    .map((name) => `${folder}/${name}`)
}

for (const page of pages) {
  test(`the links of ${page} to files and headings lead somewhere`, () => {
    for (const [, target = ''] of read(page).matchAll(/\]\(([^)]+)\)/g)) {
      if (target.startsWith('https://')) continue
      const [file = '', heading] = target.split('#')
      const path = file === '' ? page : posix.join(posix.dirname(page), file)
      assert.ok(existsSync(new URL(`../../${path}`, import.meta.url)), target)
      if (heading !== undefined) assert.ok(headingsOf(read(path)).has(heading), target)
    }
  })
}
