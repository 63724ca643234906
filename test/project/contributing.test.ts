import assert from 'node:assert/strict'
import { existsSync, readdirSync, readFileSync } from 'node:fs'
import { test } from 'node:test'

const root = new URL('../../', import.meta.url)
const INTERNALS = 'docs/internals'
const internals = readdirSync(new URL(INTERNALS, root)).map((name) => `${INTERNALS}/${name}`)

/** A path from the root of the repository; what stands before it is no part of one, as in a link to elsewhere. */
const PATH = /(?<![\w./-])(?:bench|lib|test)\/[\w./-]*\w/g

const read = (path: string): string => readFileSync(new URL(path, root), 'utf8')

test('CONTRIBUTING.md has at most 120 lines', () => {
  assert.ok(read('CONTRIBUTING.md').trimEnd().split('\n').length <= 120)
})

for (const page of ['CONTRIBUTING.md', ...internals]) {
  test(`the files that ${page} names are there`, () => {
    const named = [...read(page).matchAll(PATH)].map(([path]) => path)
    assert.deepEqual(
      named.filter((path) => !existsSync(new URL(path, root))),
      [],
    )
  })
}

test('the list of docs/internals has each of its pages', () => {
  const list = read(`${INTERNALS}/README.md`)
  const others = internals.map((page) => page.slice(INTERNALS.length + 1))
  assert.deepEqual(
    others.filter((name) => name !== 'README.md' && !list.includes(`](${name})`)),
    [],
  )
})

test('the drawing of the rooms has each room of lib/, and no other', () => {
  const [, drawing = ''] = read('CONTRIBUTING.md').split('```')
  const drawn = [...drawing.matchAll(/^(?:[┌│└] | {2})([\w.]+)/gm)].map(([, room]) => room)
  const rooms = readdirSync(new URL('lib', root)).filter((room) => room !== 'errors.ts')
  assert.deepEqual(new Set(drawn), new Set(rooms))
})
