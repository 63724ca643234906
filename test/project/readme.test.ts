import assert from 'node:assert/strict'
import { existsSync, readdirSync, readFileSync } from 'node:fs'
import { posix } from 'node:path'
import { test } from 'node:test'
import { isRetryable } from '../../lib/core/close/codes.js'
import { CLOSE_CAUSES } from '../../lib/core/close/policy.js'
import { DEFAULTS } from '../../lib/options/defaults.js'

const read = (path: string): string =>
  readFileSync(new URL(`../../${path}`, import.meta.url), 'utf8')
const readme = read('README.md')

/** The first two cells of each row of the table under a heading. */
function rowsUnder(heading: string): Map<string, string> {
  const section = readme.split(/^## /m).find((part) => part.startsWith(`${heading}\n`)) ?? ''
  const rows = section.split('\n').filter((line) => line.startsWith('| `'))
  return new Map(rows.map((row) => row.split('|').slice(1, 3)).map(([a, b]) => [code(a), code(b)]))
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

test("the README's option table has every default, and each is true", () => {
  const table = rowsUnder('Options')
  for (const [name, value] of flatten(DEFAULTS)) {
    const cell = table.get(name)
    assert.notEqual(cell, undefined, `${name} is not in the table`)
    assert.deepEqual(parse(cell ?? ''), value, name)
  }
})

test("the README's option table has no option that is not there", () => {
  const known = new Set(flatten(DEFAULTS).map(([name]) => name))
  const others = new Set([
    'expiresAt',
    'maxConnectionsPerKey',
    'onMessage',
    'onInvalidMessage',
    'onUnexpectedClose',
    'onClose',
    'onShutdown',
    'onHandlerError',
    'ignoreUpgrade',
    'keepalive',
  ])
  for (const name of rowsUnder('Options').keys()) {
    assert.ok(known.has(name) || others.has(name), `${name} is unknown`)
  }
})

test('the README has a line for each error code and no other', () => {
  const inCode = new Set(read('lib/errors.ts').match(/FST_ERR_WSL_\w+/g))
  assert.deepEqual(new Set(rowsUnder('Errors').keys()), inCode)
})

test('the README names every cause', () => {
  for (const cause of CLOSE_CAUSES) assert.match(readme, new RegExp(`\`${cause}\``))
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

const pages = ['README.md', 'CONTRIBUTING.md', ...pagesIn('docs'), ...pagesIn('docs/internals')]

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
