import { randomUUID } from 'node:crypto'
import { EventEmitter } from 'node:events'
import type { FastifyRequest } from 'fastify'
import type {
  CloseInfo,
  Group,
  LifecycleSession,
  WebsocketLifecycle,
} from 'fastify-websocket-lifecycle'
import type { Board, Client, Drained, Ending, Message, RoomEvent } from './events.js'
import { friendlyName, isFriendlyName } from './names.js'
import type { Failure } from './lines.js'
import { Member } from './member.js'

/** What a client asks for in its URL. */
export interface Visit {
  readonly name?: string
  readonly helper?: boolean
  /** The button for which a helper comes. */
  readonly act?: string
  readonly fault?: 'throw'
}

interface ChatEvents {
  left: [ending: Ending]
  /** Someone asks for a helper that ends its connection in this way. */
  helper: [act: string, code: number]
  /** Someone wants to be without a network for a while. */
  failure: [member: Member, how: Failure]
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
  readonly #names = new Set<string>()
  readonly #messages: Message[] = []
  readonly #endings: Ending[] = []
  readonly #server = randomUUID()
  #drained: Drained | undefined
  /** Those who are in, also if they are away. */
  #all: Group | undefined
  /** Those who have a connection now. */
  #here: Group | undefined

  /** From now on the members are on this server. A group is of one server, so it does not outlive it. */
  meetAt(lifecycle: WebsocketLifecycle): void {
    this.#all = lifecycle.group('room')
    this.#here = lifecycle.group('here')
  }

  /** Lends whoever comes a name that nobody else has. */
  join(session: LifecycleSession, visit: Visit): Member {
    const kind = visit.helper === true ? 'helper' : 'tab'
    const act = kind === 'helper' ? visit.act : undefined
    const client: Client = { id: session.id, name: this.#nameFor(visit.name), kind, act }
    this.#names.add(client.name)
    const member = new Member(client, session)
    this.#tell({ type: 'joined', row: member.row() })
    this.#members.set(client.id, member)
    void session.closed.then((close) => this.#tellEnding(member, close))
    member.tell({ type: 'welcome', you: client, board: this.board(), messages: this.#messages })
    return member
  }

  leave({ client, steps }: Member): void {
    this.#members.delete(client.id)
    steps.push('release: member')
  }

  takeNameBack({ client, steps }: Member): void {
    this.#names.delete(client.name)
    steps.push('release: name')
  }

  say({ client }: Member, words: string): void {
    const said = words.trim().slice(0, LONGEST_TEXT)
    if (said === '') return
    const message: Message = { from: client, text: said, at: Date.now() }
    keep(this.#messages, message)
    this.#tell({ type: 'said', message })
  }

  sayGoodbye(session: LifecycleSession): void {
    this.ran(session, 'onShutdown')
    this.memberOf(session).tell({ type: 'note', text: 'The server is drained, and comes back.' })
  }

  /** Whoever is away is still in the room. */
  away(session: LifecycleSession, close: CloseInfo): void {
    this.memberOf(session).lost(close)
    this.#here?.delete(session)
  }

  back(session: LifecycleSession, request: FastifyRequest): void {
    const member = this.memberOf(session)
    member.back(request)
    this.#here?.add(session)
    this.#tell({ type: 'resumed', row: member.row() })
  }

  memberOf(session: LifecycleSession): Member {
    const member = this.#members.get(session.id)
    if (member === undefined) throw new Error('Expected whoever is heard to be a member')
    return member
  }

  /** Whoever brings a helper in knows how much it says. */
  follow(id: string, peer: { readonly said: number }): void {
    const member = this.#members.get(id)
    if (member !== undefined) member.peer = peer
  }

  /** Notes that a hook of the route ran. */
  ran(session: LifecycleSession, hook: string): void {
    this.#members.get(session.id)?.steps.push(hook)
  }

  board(): Board {
    const rows = Array.from(this.#members.values(), (member) => member.row())
    return { rows, endings: this.#endings, drained: this.#drained, server: this.#server }
  }

  /** Tells how all connections stand. Nobody wants to hear later how that was. */
  pulse(): void {
    const pulse: RoomEvent = { type: 'pulse', rows: this.board().rows }
    this.#here?.send(JSON.stringify(pulse))
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

  /** Each member counts what its client has not confirmed, so this is one `send` for each. */
  #tell(what: RoomEvent): void {
    for (const { id } of this.#all ?? []) this.#members.get(id)?.tell(what)
  }

  /** Whoever comes back keeps the name, unless somebody has it. */
  #nameFor(wanted: string | undefined): string {
    const names = this.#names
    if (wanted !== undefined && isFriendlyName(wanted) && !names.has(wanted)) return wanted
    return friendlyName((name) => names.has(name))
  }
}

function keep<T>(list: T[], item: T): void {
  list.push(item)
  if (list.length > KEPT) list.shift()
}
