// The table of connections, with more of them than fit into it.
import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { Row, Update } from '../../lib/dashboard/protocol.js'
import type { Who } from '../../lib/dashboard/row.js'
import { Rows } from '../../lib/dashboard/rows.js'
import type { ConnectionDescription } from '../../lib/index.js'

type Told = { -readonly [Part in keyof ConnectionDescription]: ConnectionDescription[Part] }

/** Connections that are made of what is told of them. */
class Server {
  readonly connections = new Set<never>()
  readonly sessions = new Set<never>()
  readonly rows: Rows
  looks = 0
  readonly #told = new Map<Who, Told>()

  constructor(count: number, most = 10_000) {
    for (let i = 0; i < count; i++) this.open(`c${i}`)
    this.rows = new Rows(this, most, ({ id }) => id === 'page')
  }

  describe(who: Who): ConnectionDescription {
    this.looks++
    return this.of(who)
  }

  of(who: Who): Told {
    return this.#told.get(who) as Told
  }

  open(id: string, agent = 'test'): Who {
    const headers = agent === '' ? {} : { 'user-agent': agent, origin: agent }
    const who = { id, protocol: agent, request: { headers } } as unknown as Who
    this.connections.add(who as never)
    this.#told.set(who, {
      id,
      route: '/',
      state: 'open',
      openedAt: 1,
      lastReceivedAt: 5_000,
      latency: undefined,
      remoteAddress: '10.0.0.1',
      groups: [],
      inbox: { messages: 0, bytes: 0 },
      outbox: { bytes: 0 },
      session: undefined,
      history: undefined,
    })
    return who
  }

  release(id: string): void {
    for (const who of this.connections as Set<Who>) {
      if (who.id !== id) continue
      this.connections.delete(who as never)
      this.rows.delete(id)
      return
    }
  }

  look(...seen: string[]): Pick<Update, 'rows' | 'changed' | 'gone'> {
    return this.rows.look(seen.values())
  }

  /** Looks until nothing is on its way. */
  settle(): Row[] {
    const all: Row[] = []
    for (let i = 0; i < 50 && this.rows.coming > 0; i++) all.push(...(this.look().rows ?? []))
    return all
  }
}

const idsOf = (rows: readonly Row[] = []): string[] => rows.map(([id]) => id)

test('of more connections than rows the first are shown, some each time, and the others are counted', () => {
  const server = new Server(12_345)
  const { rows } = server
  assert.deepEqual([rows.coming, rows.hidden], [10_000, 2_345])
  const first = server.look()
  assert.equal(first.rows?.length, 500)
  assert.deepEqual([rows.coming, rows.hidden], [9_500, 2_345])
  const others = server.settle()
  assert.equal(others.length, 9_500)
  assert.equal(new Set([...idsOf(first.rows), ...idsOf(others)]).size, 10_000)
  assert.deepEqual([rows.coming, rows.hidden, rows.size], [0, 2_345, 10_000])
  assert.deepEqual(server.look(), {})
})

for (const [count, each, turns] of [
  [10_000, 250, 41],
  [1_200, 250, 6],
  [40, 10, 5],
  [1, 1, 2],
] as const) {
  test(`of ${count} rows at most ${each} are looked at each time, each in turn`, () => {
    const server = new Server(count)
    server.settle()
    for (const who of server.connections as Set<Who>) server.of(who).outbox = { bytes: 1 }
    const changed: string[] = []
    // A turn may begin in the middle, and its last look is a short one.
    for (let i = 0; i < turns + 1; i++) {
      server.looks = 0
      changed.push(...(server.look().changed ?? []).map(([id]) => id))
      assert.ok(server.looks <= each, `${server.looks} looks`)
    }
    assert.equal(new Set(changed).size, count)
    assert.equal(changed.length, count)
    assert.equal(server.rows.outbox, count)
  })
}

test('those that somebody sees are looked at each time', () => {
  const server = new Server(2_000)
  server.settle()
  for (let bytes = 1; bytes < 9; bytes++) {
    for (const who of server.connections as Set<Who>) {
      if (who.id === 'c1999') server.of(who).outbox = { bytes }
    }
    const [change] = server.look('c1999', 'c1999', 'unknown').changed ?? []
    assert.deepEqual(change?.[1][4], bytes)
  }
  server.looks = 0
  server.look(...Array.from({ length: 2_000 }, (_, index) => `c${index}`))
  assert.equal(server.looks, 500 + 250)
})

test('when rows go, hidden ones take their places', () => {
  const server = new Server(1_500, 1_000)
  server.settle()
  assert.equal(server.rows.hidden, 500)
  for (let i = 0; i < 700; i++) server.release(`c${i}`)
  assert.deepEqual([server.rows.hidden, server.rows.coming], [0, 500])
  const { gone, rows = [] } = server.look()
  assert.equal(gone?.length, 700)
  const then = [...rows, ...server.settle()]
  assert.equal(then.length, 500)
  assert.ok(idsOf(then).includes('c1499'))
  assert.deepEqual([server.rows.hidden, server.rows.coming, server.rows.size], [0, 0, 800])
  // A new one has a place at once, and one that is there already keeps its own.
  const late = server.open('late')
  server.rows.add(late)
  server.rows.add(late)
  assert.deepEqual(idsOf(server.look().rows), ['late'])
})

test('a table that is full takes no more, and one that was never shown goes without a word', () => {
  const server = new Server(3, 3)
  server.settle()
  server.rows.add(server.open('c3'))
  assert.deepEqual(server.look(), {})
  server.release('c3')
  server.rows.delete('unknown')
  assert.deepEqual(server.look(), {})
  server.release('c0')
  assert.deepEqual(server.look(), { gone: ['c0'] })
  server.rows.add(server.open('c4'))
  server.release('c4')
  assert.deepEqual(server.look(), {})
  assert.equal(server.rows.get('c4'), undefined)
})

test('sums follow what changes and what goes', () => {
  const server = new Server(2)
  const [first, second] = server.connections as Set<Who>
  assert.ok(first && second)
  server.of(first).inbox = { messages: 3, bytes: 9 }
  server.of(second).outbox = { bytes: 70 }
  server.look()
  assert.deepEqual([server.rows.inbox, server.rows.outbox], [3, 70])
  server.of(first).inbox = { messages: 1, bytes: 3 }
  server.of(first).outbox = { bytes: 7 }
  server.look('c0')
  assert.deepEqual([server.rows.inbox, server.rows.outbox], [1, 77])
  server.release('c0')
  assert.deepEqual([server.rows.inbox, server.rows.outbox], [0, 70])
})

test('a frame is no news within a second of the one that is told, or within ten where nobody sees it', () => {
  const server = new Server(1)
  const [who] = server.connections as Set<Who>
  assert.ok(who)
  server.look()
  for (const [at, told] of [
    [5_999.4, undefined],
    [4_000.6, undefined],
    [6_000.4, 6_000],
    [6_900, undefined],
    [undefined, null],
    [7_000, 7_000],
  ]) {
    server.of(who).lastReceivedAt = at ?? undefined
    assert.equal(server.look('c0').changed?.[0]?.[1][1], told)
  }
  for (const [at, told] of [
    [16_999, undefined],
    [17_000, 17_000],
  ] as const) {
    server.of(who).lastReceivedAt = at
    const changes = [server.look(), server.look()].map(({ changed }) => changed?.[0]?.[1][1])
    assert.equal(
      changes.find((each) => each !== undefined),
      told,
    )
  }
})

test('a session that comes back from elsewhere has a new address', () => {
  const server = new Server(1)
  const [who] = server.connections as Set<Who>
  assert.ok(who)
  server.look()
  server.of(who).remoteAddress = '10.0.0.2'
  server.of(who).session = { resumes: 1 }
  const { rows, changed } = server.look('c0')
  assert.equal(changed, undefined)
  assert.deepEqual(rows, [['c0', '/', '10.0.0.2', 'test', 1, ['open', 5_000, null, 0, 0, 1, '']]])
})

test('what a page has to take is no news: it would make more of it', () => {
  const server = new Server(0)
  const page = server.open('page')
  server.look()
  server.of(page).outbox = { bytes: 700 }
  assert.deepEqual(server.look('page'), {})
  server.of(page).state = 'suspended'
  assert.equal(server.look('page').changed?.[0]?.[1][0], 'suspended')
})

test('what is not known is empty', () => {
  const server = new Server(0)
  const told = server.of(server.open('s', ''))
  const odd: { remoteAddress: string | undefined } = told
  odd.remoteAddress = undefined
  told.lastReceivedAt = undefined
  told.session = { resumes: 2 }
  assert.deepEqual(server.look().rows, [['s', '/', '', '', 1, ['open', null, null, 0, 0, 2, '']]])
  const details = server.rows.detailsOf('s')
  assert.ok(details)
  const { address, agent, origin, heardAt, latency, resumes, history } = details
  assert.deepEqual([address, agent, origin, heardAt, latency], ['', '', '', null, null])
  assert.deepEqual([resumes, history], [2, []])
})

test('texts of clients are cut to what fits, however they are written', () => {
  const server = new Server(0)
  const who = server.open('odd', '"\\\u0001ü😀'.repeat(100))
  const told = server.of(who)
  told.remoteAddress = '\u0000'.repeat(500)
  told.route = `/${'r'.repeat(1_000)}`
  told.groups = Array.from({ length: 5_000 }, () => '<img onerror=1>\n')
  told.latency = 1.234
  told.state = 'ended'
  const [row] = server.look().rows ?? []
  assert.ok(row)
  assert.ok(JSON.stringify(row).length < 800)
  assert.deepEqual([row[5][0], row[5][2]], ['ending', 1.2])
  const details = server.rows.detailsOf('odd')
  assert.ok(JSON.stringify(details).length < 8_000)
  assert.equal(details?.groups.length, 64)
  assert.equal(server.rows.detailsOf('unknown'), undefined)
})
