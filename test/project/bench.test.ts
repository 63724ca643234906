import assert from 'node:assert/strict'
import { readdirSync, readFileSync } from 'node:fs'
import { test } from 'node:test'
import { missed } from '../../bench/harness/report.js'
import { find, fromJson, type Result, type Results, toJson } from '../../bench/harness/results.js'
import { inTurn } from '../../bench/harness/rounds.js'
import { spread } from '../../bench/harness/numbers.js'
import { DOCUMENTS, FOLDER, made, quoted, quotesOf } from '../../bench/documents/files.js'
import { columnsOf, quantity, times } from '../../bench/documents/numbers.js'
import { betterOf, type Target } from '../../bench/harness/scenario.js'
import { SCENARIOS } from '../../bench/scenarios/all.js'

const FEWEST_ROUNDS = 7

const at = (path: string): URL => new URL(`../../${path}`, import.meta.url)
const read = (path: string): string => readFileSync(at(path), 'utf8')
const published = (): Results => fromJson(read('bench/results.json'))

test('the pictures, and what documents quote, are what the script makes of the results', () => {
  const { files } = made()
  for (const [path, content] of files) {
    assert.equal(read(path), content, `${path} is out of date: npm run bench:draw`)
  }
  const pictures = [...files.keys()].filter((path) => path.startsWith(`${FOLDER}/`))
  assert.deepEqual(
    readdirSync(at(FOLDER)).map((name) => `${FOLDER}/${name}`),
    pictures.toSorted(),
  )
})

test('every picture has a number wherever it draws', () => {
  for (const [path, content] of made().files) {
    if (path.endsWith('.svg')) assert.doesNotMatch(content, /NaN|Infinity|undefined/, path)
  }
})

test('every picture and every table is in a document', () => {
  const shown = new Set(DOCUMENTS.flatMap((path) => quotesOf(read(path))))
  assert.deepEqual(shown, new Set(made().quotes.keys()))
})

test('every target has a result, and none of them misses the bound of the gate', () => {
  const { results } = published()
  for (const { name, targets } of SCENARIOS) {
    for (const { of, figure, contestant } of targets) {
      const result = find(results, { scenario: name, figure, contestant })
      assert.ok(Number.isFinite(result[of]?.median), `${contestant}, ${figure}`)
    }
    assert.deepEqual(missed({ name, targets }, results, 'bound'), [])
  }
})

test('every ratio is the median of seven rounds at least', () => {
  for (const { ratio, rounds, contestant, figure } of published().results) {
    if (ratio) assert.ok(rounds >= FEWEST_ROUNDS, `${contestant}, ${figure}: ${rounds}`)
  }
})

test('every contestant is compared with one that takes part', () => {
  for (const { entrants, name: scenario } of SCENARIOS) {
    for (const [name, against] of Object.entries(entrants)) {
      assert.ok((against ?? name) in entrants, `${scenario}: ${name} against ${against}`)
    }
  }
})

test('every target has an entrant and a figure, and its bound forgives more than its goal', () => {
  for (const { entrants, figures, targets } of SCENARIOS) {
    for (const { contestant, figure, of, goal, bound = goal } of targets) {
      assert.ok(contestant in entrants, contestant)
      assert.ok(of === 'value' || entrants[contestant], `${contestant}: ${figure}`)
      const unit = figures[figure]
      assert.ok(unit !== undefined, figure)
      assert.ok(betterOf(unit) === 'more' ? bound <= goal : bound >= goal, figure)
    }
  }
})

test('a spread is the median with the least and the most', () => {
  assert.deepEqual(spread([3, 1, 2]), { median: 2, least: 1, most: 3 })
  assert.deepEqual(spread([10, 9, 1, 2]), { median: 5.5, least: 1, most: 10 })
  assert.deepEqual(spread([7]), { median: 7, least: 7, most: 7 })
})

test('a spread tells nothing where a round has no value', () => {
  assert.deepEqual(spread([1, NaN, 3]), { median: NaN, least: NaN, most: NaN })
})

test('each contestant is measured as often before each other one as after it', () => {
  for (const names of [
    ['a', 'b'],
    ['a', 'b', 'c'],
    ['a', 'b', 'c', 'd', 'e'],
  ]) {
    const before = new Map<string, number>()
    const rounds = 2 * names.length
    for (let round = 0; round < rounds; round++) {
      const turn = inTurn(names, round)
      assert.deepEqual(turn.toSorted(), names)
      for (const [index, first] of turn.entries()) {
        for (const second of turn.slice(index + 1)) {
          before.set(first + second, (before.get(first + second) ?? 0) + 1)
        }
      }
    }
    for (const count of before.values()) assert.equal(count, rounds / 2)
  }
})

const RESULT: Result = {
  scenario: 'tea',
  figure: 'cups',
  unit: '/s',
  contestant: 'ours',
  rounds: 7,
  value: { median: 5, least: 4, most: 6 },
  against: 'bare',
  ratio: { median: 2, least: 1, most: 3 },
}
const MACHINE = { cpu: 'x', cores: 2, memory: '1 GiB', system: 'y', versions: { node: '20' } }
const NONE = { median: NaN, least: NaN, most: NaN }
const TARGET = { contestant: 'ours', figure: 'cups', of: 'ratio', goal: 2, bound: 2.1 } as const

function misses(kind: 'goal' | 'bound', result: Partial<Result> = {}): string[] {
  return missed({ name: 'tea', targets: [TARGET] }, [{ ...RESULT, ...result }], kind)
}

test('a target is missed by a median on the wrong side, and by one that is not known', () => {
  assert.deepEqual(misses('goal'), [])
  assert.match(misses('bound').join(), /^ours, cups: .* expected at least 2\.1$/)
  assert.deepEqual(misses('goal', { unit: 'ms' }), [])
  const slow = { median: 2.05, least: 1, most: 3 }
  assert.match(misses('goal', { unit: 'ms', ratio: slow }).join(), /at most 2$/)
  assert.match(misses('goal', { ratio: NONE }).join(), /NaN/)
})

test('results are written a line each, and read as they were, with what is not known', () => {
  const results = [RESULT, { ...RESULT, value: NONE }]
  const all = { date: '2025-01-31', machine: MACHINE, leftOut: ['gorilla'], results }
  const text = toJson(all)
  assert.deepEqual(fromJson(text), all)
  assert.equal(text.split('\n').filter((line) => line.includes('"cups"')).length, results.length)
})

test('a picture of what was not measured is an error that names it', () => {
  const entrants = { bare: null, ours: 'bare' }
  const tea = { name: 'tea', title: 'Tea', entrants, figures: { cups: '/s' }, targets: [] }
  const draw = (results: Result[], leftOut: string[] = [], of: Target['of'] = 'value'): unknown =>
    columnsOf(
      { ...tea, picture: { title: 'Tea', of } },
      { date: '', machine: MACHINE, leftOut, results },
    )

  assert.throws(() => draw([]), { message: 'No result of ours in tea: cups' })
  assert.throws(() => draw([RESULT]), { message: 'No result of bare in tea: cups' })
  assert.doesNotThrow(() => draw([RESULT], ['bare']))
  const { ratio: _ratio, ...alone } = RESULT
  assert.throws(() => draw([alone], [], 'ratio'), { message: 'No ratio of ours in cups' })
  assert.doesNotThrow(() => draw([RESULT], [], 'ratio'))
})

test('a document that quotes what there is not is refused', () => {
  const document = 'a\n<!-- bench:begin cups -->\nold\n<!-- bench:end -->\nb\n'
  assert.equal(
    quoted(document, new Map([['cups', 'new']])),
    'a\n<!-- bench:begin cups -->\n\nnew\n\n<!-- bench:end -->\nb\n',
  )
  assert.throws(() => quoted(document, new Map()), /got cups$/)
})

test('numbers are written with what three digits say, in the unit that suits them', () => {
  assert.equal(quantity(30_012, 'ms'), '30 s')
  assert.equal(quantity(5_312, 'B'), '5.31 kB')
  assert.equal(quantity(999.7, 'µs'), '1 ms')
  assert.equal(quantity(45_123, '/s'), '45,100/s')
  assert.equal(quantity(0, ''), '0')
  assert.equal(quantity(NaN, 'B'), '–')
  assert.equal(times(0.984), '0.98×')
  assert.equal(times(12.34), '12.3×')
})
