import { EventEmitter } from 'node:events'
import type { CloseInfo, LifecycleSocket } from 'fastify-websocket-lifecycle'
import type { Board, Drained, Ending, Guest, Message, RoomEvent } from './events.js'
import { friendlyName, isFriendlyName } from './names.js'
import { Seat } from './seat.js'

/** What a client asks for in its URL. */
export interface Visit {
  readonly name?: string
  readonly helper?: boolean
  readonly fault?: 'throw'
}

/** What listens to everything in the room; a resource that must be given back. */
export interface Feed {
  end(): void
}

interface HouseEvents {
  left: [ending: Ending]
  /** Someone asks for a helper that ends its connection in this way. */
  helper: [act: string, code: number]
  /** It did so. */
  acted: [act: string]
  /** Someone asks for the server to be drained. */
  drain: []
  /** The server is open again after a drain, and its regulars are in. */
  back: []
}

/** So many messages and endings are kept for those who come later. */
const KEPT = 50
const LONGEST_TEXT = 500

/** Who is in the room, and what was: it outlives the server that is drained. */
export class House extends EventEmitter<HouseEvents> {
  readonly #seats = new Map<string, Seat>()
  readonly #feeds = new Set<LifecycleSocket>()
  readonly #messages: Message[] = []
  readonly #endings: Ending[] = []
  #drained: Drained | undefined

  /** Lends whoever comes a name that nobody else has. */
  enter(socket: LifecycleSocket, visit: Visit): Seat {
    const kind = visit.helper === true ? 'helper' : 'tab'
    const guest: Guest = { id: socket.id, name: this.#nameFor(visit.name), kind }
    const seat = new Seat(guest, socket)
    this.#seats.set(guest.id, seat)
    void socket.closed.then((close) => this.#tellEnding(seat, close))
    this.#tell({ type: 'joined', row: seat.row() })
    return seat
  }

  /** Takes the name back. */
  leave(seat: Seat): void {
    this.#seats.delete(seat.guest.id)
    seat.steps.push('release: seat')
  }

  openFeed(seat: Seat): Feed {
    const { socket, guest, steps } = seat
    const messages = this.#messages
    socket.send(text({ type: 'welcome', you: guest, board: this.board(), messages }))
    this.#feeds.add(socket)
    return {
      end: () => {
        this.#feeds.delete(socket)
        steps.push('release: feed')
      },
    }
  }

  say({ guest }: Seat, words: string): void {
    const said = words.trim().slice(0, LONGEST_TEXT)
    if (said === '') return
    const message: Message = { from: guest, text: said, at: Date.now() }
    keep(this.#messages, message)
    this.#tell({ type: 'said', message })
  }

  sayGoodbye(socket: LifecycleSocket): void {
    socket.send(text({ type: 'note', text: 'The server is drained, and comes back.' }))
  }

  seatOf(socket: LifecycleSocket): Seat {
    const seat = this.#seats.get(socket.id)
    if (seat === undefined) throw new Error('Expected whoever is heard to have a seat')
    return seat
  }

  /** Whoever brings a helper in knows how much it says. */
  follow(id: string, line: { readonly said: number }): void {
    const seat = this.#seats.get(id)
    if (seat !== undefined) seat.line = line
  }

  /** Notes that a hook of the route ran. */
  ran(socket: LifecycleSocket, hook: string): void {
    this.#seats.get(socket.id)?.steps.push(hook)
  }

  board(): Board {
    const rows = Array.from(this.#seats.values(), (seat) => seat.row())
    return { rows, endings: this.#endings, drained: this.#drained }
  }

  /** Tells how all connections stand. */
  pulse(): void {
    this.#tell({ type: 'pulse', rows: this.board().rows })
  }

  note(words: string): void {
    this.#tell({ type: 'note', text: words })
  }

  noteDrain(drained: Drained): void {
    this.#drained = drained
  }

  #tellEnding(seat: Seat, close: CloseInfo): void {
    const ending = seat.ending(close)
    keep(this.#endings, ending)
    this.#tell({ type: 'left', ending })
    this.emit('left', ending)
  }

  #tell(what: RoomEvent): void {
    const data = text(what)
    for (const socket of this.#feeds) socket.send(data)
  }

  /** Whoever comes back keeps the name, unless somebody has it. */
  #nameFor(wanted: string | undefined): string {
    const taken = new Set(Array.from(this.#seats.values(), ({ guest }) => guest.name))
    if (wanted !== undefined && isFriendlyName(wanted) && !taken.has(wanted)) return wanted
    return friendlyName((name) => taken.has(name))
  }
}

function keep<T>(list: T[], item: T): void {
  list.push(item)
  if (list.length > KEPT) list.shift()
}

function text(what: RoomEvent): string {
  return JSON.stringify(what)
}
