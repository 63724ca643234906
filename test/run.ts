// Runs the tests: one process for each room, whose files share what they load. Loading Fastify and
// the plugin anew for each of 250 files took most of the time.
// Arguments are beginnings of paths, such as test/outbox: it runs only what begins so.
import { spawnSync } from 'node:child_process'
import { mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join, resolve } from 'node:path'
import { pathToFileURL } from 'node:url'

/** What needs more than Node and npm's registry, or minutes. Each has a script of its own: `npm run test:browser`, ... */
const OTHERS = new Map([
  ['browser', 'the demo in a browser'],
  ['company', 'the neighbours'],
  ['prometheus', 'a real Prometheus'],
  ['proxy', 'nginx in front'],
  ['redis', 'several nodes, with a real Redis'],
  ['runners', 'vitest and Jest'],
  ['slow', 'very slow readers'],
])
/** Fails a process that hangs, which says a little before where it is. In ms. */
const LONG = 600_000
const NEARLY = LONG - 10_000

const beginnings = process.argv.slice(2)
const rooms = filesByRoom()
const lost = beginnings.find(
  (each) => ![...rooms.values()].flat().some((file) => file.startsWith(each)),
)
if (lost !== undefined) throw new Error(`Expected the beginning of a path of a test, got ${lost}`)
if (beginnings.length === 0) console.log(about(rooms))
const dir = mkdtempSync(join(tmpdir(), 'rooms-'))
try {
  process.exitCode = run(entriesOf(rooms))
} finally {
  rmSync(dir, { recursive: true })
}

function filesByRoom(): Map<string, string[]> {
  const found = new Map<string, string[]>()
  for (const name of readdirSync('test', { recursive: true, encoding: 'utf8' }).toSorted()) {
    const file = join('test', name)
    const isWanted = beginnings.length === 0 || beginnings.some((each) => file.startsWith(each))
    const room = name.slice(0, name.indexOf('/'))
    if (!name.endsWith('.test.ts') || !isWanted || OTHERS.has(room)) continue
    found.set(room, [...(found.get(room) ?? []), file])
  }
  return found
}

/** What who runs all of them wants to know before. */
function about(rooms: ReadonlyMap<string, string[]>): string {
  const count = [...rooms.values()].flat().length
  const others = [...OTHERS].map(([name, what]) => `${what} (npm run test:${name})`)
  return `${count} files of tests: four to eight minutes on two cores; a part in half a minute: npm run test:smoke.
Left out: ${others.join(', ')}
`
}

/** A script for each room. Node runs them in the order of their names: the largest first, so that the last one ends soon. */
function entriesOf(rooms: ReadonlyMap<string, string[]>): string[] {
  const largestFirst = [...rooms].toSorted(([, a], [, b]) => b.length - a.length)
  return largestFirst.map(([room, files], index) => {
    const entry = join(dir, `${String(index).padStart(2, '0')}-${room}.mjs`)
    writeFileSync(entry, scriptOf(room, files))
    return entry
  })
}

/**
 * A file that cannot be loaded fails a test of its own; those of the others run. No test runs before all are loaded,
 * and they run in the order of the files, each time: what loads side by side is ready in any order.
 */
function scriptOf(room: string, files: readonly string[]): string {
  const urls = files.map((file) => pathToFileURL(resolve(file)).href)
  return `import { beforeEach, test } from 'node:test'
let last
beforeEach(({ name }) => (last = name))
setTimeout(() => console.error('The tests of ${room} hang. The last one to begin: ' + last), ${NEARLY}).unref()
async function load() {
  const failed = []
  for (const url of ${JSON.stringify(urls)}) await import(url).catch((error) => failed.push(error))
  if (failed.length > 0) throw failed[0]
}
const loading = load()
test('the tests of ${room} load', () => loading)
`
}

function run(entries: readonly string[]): number {
  const options = [
    '--test',
    '--test-reporter=spec',
    '--test-concurrency=3',
    `--test-timeout=${LONG}`,
    // An app for each test is much garbage that dies young: a larger nursery spares a tenth of the time.
    '--max-semi-space-size=64',
  ]
  const { status } = spawnSync(process.execPath, ['--import', 'tsx', ...options, ...entries], {
    stdio: 'inherit',
  })
  return status ?? 1
}
