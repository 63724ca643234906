import type { ConnectionDescription, WebsocketLifecycle } from '../api/lifecycle.js'
import { next } from './next.js'
import type { LiveDetails, Row, RowNow, Update } from './protocol.js'
import { addressOf, detailsOf, nowOf, rowOf, type Who } from './row.js'

/** A connection in the table. */
interface Entry {
  readonly who: Who
  /** `undefined` until it was looked at. */
  row: Row | undefined
}

/** How many rows are looked at each time: new ones, those that somebody sees, and others in turn. */
const LOOKS = { new: 500, seen: 500, inTurn: 250 } as const

/** So many looks make a turn at least: a small table needs no more. */
const LOOKS_OF_A_TURN = 4

/** A frame is news if it came so many ms after the one that is told: each second of a busy connection would be many. */
const NEWS_AFTER = { seen: 1_000, inTurn: 10_000 } as const

/** The connections of a server. */
type Connections = Pick<WebsocketLifecycle, 'connections' | 'sessions' | 'describe'>

/** The table of connections. Its rows are looked at in turn, and those that somebody sees each time. */
export class Rows {
  readonly #server: Connections
  readonly #most: number
  readonly #isPage: (who: Who) => boolean
  readonly #entries = new Map<string, Entry>()
  /** Those that nobody has looked at yet. */
  readonly #fresh = new Set<Entry>()
  #turn: Iterator<Entry> = this.#entries.values()
  #search: Iterator<Who> | undefined
  #gone: string[] = []
  /** How many rows were looked at. */
  #known = 0
  #inbox = 0
  #outbox = 0

  /**
   * @param most how many rows there are at most
   * @param isPage whether it is the session of somebody who looks
   */
  constructor(server: Connections, most: number, isPage: (who: Who) => boolean) {
    this.#server = server
    this.#most = most
    this.#isPage = isPage
  }

  /** Messages that wait. */
  get inbox(): number {
    return this.#inbox
  }

  /** Bytes that wait. */
  get outbox(): number {
    return this.#outbox
  }

  /** How many rows there will be that nobody has looked at yet. */
  get coming(): number {
    return Math.min(this.#there, this.#most) - this.#known
  }

  /** How many connections there are that have no row, because there are too many. */
  get hidden(): number {
    return Math.max(0, this.#there - this.#most)
  }

  /** How many rows there are, also those that nobody has looked at yet. */
  get size(): number {
    return this.#entries.size
  }

  /** All rows, also those that come while somebody goes through them. */
  *all(): Generator<Row> {
    for (const { row } of this.#entries.values()) if (row !== undefined) yield row
  }

  get(id: string): Who | undefined {
    return this.#entries.get(id)?.who
  }

  detailsOf(id: string): LiveDetails | undefined {
    const who = this.get(id)
    return who && detailsOf(who, this.#server.describe(who))
  }

  add(who: Who): void {
    if (this.#isFull || this.#entries.has(who.id)) return
    const entry: Entry = { who, row: undefined }
    this.#entries.set(who.id, entry)
    this.#fresh.add(entry)
  }

  delete(id: string): void {
    const entry = this.#entries.get(id)
    if (entry === undefined) return
    this.#entries.delete(id)
    this.#fresh.delete(entry)
    if (entry.row === undefined) return
    this.#known--
    this.#count(entry.row[5], -1)
    this.#gone.push(id)
  }

  /**
   * Looks at new rows, at those that are seen, and at others in turn.
   * @returns what has changed since the last look
   */
  look(seen: Iterator<string>): Pick<Update, 'rows' | 'changed' | 'gone'> {
    this.#find()
    const rows: Row[] = []
    const changed: Array<readonly [string, RowNow]> = []
    const look = (entry: Entry | undefined, newsAfter: number): void => {
      const row = entry?.row
      if (entry === undefined || row === undefined) return
      const now = this.#lookAgain(entry, row, newsAfter)
      if (now[2] !== row[2]) rows.push(now)
      else if (now !== row) changed.push([now[0], now[5]])
    }
    for (const entry of next(this.#fresh.values(), LOOKS.new)) {
      this.#fresh.delete(entry)
      rows.push(this.#lookAt(entry))
    }
    for (const id of next(seen, LOOKS.seen)) look(this.#entries.get(id), NEWS_AFTER.seen)
    const most = Math.min(LOOKS.inTurn, Math.ceil(this.size / LOOKS_OF_A_TURN))
    const inTurn = next(this.#turn, most)
    if (inTurn.length < most) this.#turn = this.#entries.values()
    for (const entry of inTurn) look(entry, NEWS_AFTER.inTurn)
    const gone = this.#gone
    this.#gone = []
    return {
      ...(rows.length > 0 && { rows }),
      ...(changed.length > 0 && { changed }),
      ...(gone.length > 0 && { gone }),
    }
  }

  get #there(): number {
    return this.#server.connections.size + this.#server.sessions.size
  }

  get #isFull(): boolean {
    return this.#entries.size >= this.#most
  }

  *#everyone(): Generator<Who> {
    yield* this.#server.connections
    yield* this.#server.sessions
  }

  /** Goes through some of all, as long as there are places for those that have none. */
  #find(): void {
    if (this.#isFull || this.#there === this.#entries.size) return
    this.#search ??= this.#everyone()
    const some = next(this.#search, LOOKS.new)
    if (some.length < LOOKS.new) this.#search = undefined
    for (const who of some) this.add(who)
  }

  #lookAt(entry: Entry): Row {
    const { who } = entry
    const row = rowOf(who, this.#describe(who))
    entry.row = row
    this.#known++
    this.#count(row[5], 1)
    return row
  }

  /** @returns the row: the same one, if nothing has changed */
  #lookAgain(entry: Entry, row: Row, newsAfter: number): Row {
    const [id, route, address, agent, openedAt, before] = row
    const told = this.#describe(entry.who)
    const now = nowOf(told, before, newsAfter)
    // A client that comes back may do so from elsewhere.
    const addressNow = addressOf(told.remoteAddress)
    if (addressNow === address && isSame(now, before)) return row
    this.#count(before, -1)
    this.#count(now, 1)
    entry.row = [id, route, addressNow, agent, openedAt, now]
    return entry.row
  }

  #describe(who: Who): ConnectionDescription {
    const told = this.#server.describe(who)
    // What a page has to take is what is told here: each update of its own row would cause another.
    return this.#isPage(who) ? { ...told, outbox: { bytes: 0 } } : told
  }

  #count(now: RowNow, sign: 1 | -1): void {
    this.#inbox += sign * now[3]
    this.#outbox += sign * now[4]
  }
}

function isSame(now: RowNow, before: RowNow): boolean {
  return now.every((value, index) => value === before[index])
}
