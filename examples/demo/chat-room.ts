import { randomUUID } from 'node:crypto'
import { EventEmitter } from 'node:events'
import type { CloseInfo, LifecycleSocket } from 'fastify-websocket-lifecycle'
import type { Board, Client, Drained, Ending, Message, RoomEvent } from './events.js'
import { friendlyName, isFriendlyName } from './names.js'
import { Member } from './member.js'

/** What a client asks for in its URL. */
export interface Visit {
  readonly name?: string
  readonly helper?: boolean
  /** The button for which a helper comes. */
  readonly act?: string
  readonly fault?: 'throw'
}

/** What listens to everything in the room; a resource that must be given back. */
export interface Feed {
  end(): void
}

interface ChatEvents {
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
export class ChatRoom extends EventEmitter<ChatEvents> {
  readonly #members = new Map<string, Member>()
  readonly #feeds = new Set<LifecycleSocket>()
  readonly #messages: Message[] = []
  readonly #endings: Ending[] = []
  readonly #server = randomUUID()
  #drained: Drained | undefined

  /** Lends whoever comes a name that nobody else has. */
  join(socket: LifecycleSocket, visit: Visit): Member {
    const kind = visit.helper === true ? 'helper' : 'tab'
    const act = kind === 'helper' ? visit.act : undefined
    const client: Client = { id: socket.id, name: this.#nameFor(visit.name), kind, act }
    const member = new Member(client, socket)
    this.#members.set(client.id, member)
    void socket.closed.then((close) => this.#tellEnding(member, close))
    this.#tell({ type: 'joined', row: member.row() })
    return member
  }

  /** Takes the name back. */
  leave(member: Member): void {
    this.#members.delete(member.client.id)
    member.steps.push('release: member')
  }

  openFeed(member: Member): Feed {
    const { socket, client, steps } = member
    const messages = this.#messages
    socket.send(text({ type: 'welcome', you: client, board: this.board(), messages }))
    this.#feeds.add(socket)
    return {
      end: () => {
        this.#feeds.delete(socket)
        steps.push('release: feed')
      },
    }
  }

  say({ client }: Member, words: string): void {
    const said = words.trim().slice(0, LONGEST_TEXT)
    if (said === '') return
    const message: Message = { from: client, text: said, at: Date.now() }
    keep(this.#messages, message)
    this.#tell({ type: 'said', message })
  }

  sayGoodbye(socket: LifecycleSocket): void {
    this.ran(socket, 'onShutdown')
    socket.send(text({ type: 'note', text: 'The server is drained, and comes back.' }))
  }

  memberOf(socket: LifecycleSocket): Member {
    const member = this.#members.get(socket.id)
    if (member === undefined) throw new Error('Expected whoever is heard to be a member')
    return member
  }

  /** Whoever brings a helper in knows how much it says. */
  follow(id: string, peer: { readonly said: number }): void {
    const member = this.#members.get(id)
    if (member !== undefined) member.peer = peer
  }

  /** Notes that a hook of the route ran. */
  ran(socket: LifecycleSocket, hook: string): void {
    this.#members.get(socket.id)?.steps.push(hook)
  }

  board(): Board {
    const rows = Array.from(this.#members.values(), (member) => member.row())
    return { rows, endings: this.#endings, drained: this.#drained, server: this.#server }
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

  #tellEnding(member: Member, close: CloseInfo): void {
    const ending = member.ending(close)
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
    const taken = new Set(Array.from(this.#members.values(), ({ client }) => client.name))
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
