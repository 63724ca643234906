import type {
  Group as PublicGroup,
  GroupMember,
  GroupSendOptions,
  GroupSendResult,
} from '../api/group.js'
import type { Data } from '../api/socket.js'
import { BOOLEAN, type Check, GROUP } from '../options/check.js'
import { readGroup } from '../options/group.js'
import { SharedMessage } from '../outbox/shared-message.js'
import { type Crowd, Waiting } from './fan-out.js'
import type { FanOuts } from './fan-outs.js'
import { type Member, Membership, type Owed } from './membership.js'

const SEND_CHECKS: Readonly<Record<keyof GroupSendOptions, Check>> = {
  except: GROUP,
  binary: BOOLEAN,
  compress: BOOLEAN,
}

/** What a group needs of all groups of its server. */
export interface Home {
  readonly fanOuts: FanOuts
  /** The groups that have members. */
  readonly inUse: ReadonlyMap<string, Group>
  /**
   * Somebody is going to join this group, and will be in so many.
   * @throws FST_ERR_WSL_CLUSTER_KEY if the other nodes cannot know it
   */
  check(name: string, count: number): void
  /** A group has its first member. */
  formed(group: Group): void
  /** A group has lost its last member. */
  emptied(group: Group): void
  /** @throws FST_ERR_WSL_INVALID_OPTION */
  find(who: unknown, where: string): Member
}

/**
 * A group, or what the app has of one that is empty. As long as there are members, one object has them: whatever
 * is asked of another one of the same name is asked of that one.
 */
export class Group implements PublicGroup {
  readonly name: string
  readonly #home: Home
  readonly #members = new Map<Membership, number>()
  readonly #crowd: Crowd = { members: this.#members, waiting: new Waiting() }

  constructor(name: string, home: Home) {
    this.name = name
    this.#home = home
  }

  get size(): number {
    return this.#current.#members.size
  }

  add(who: GroupMember): boolean {
    return this.join(this.#home.find(who, 'group.add()'))
  }

  /** @returns whether it is a member now */
  join(member: Member): boolean {
    if (!member.mayJoin || member.membership?.isLeaving === true) return false
    const home = this.#home
    const group = this.#current
    const membership = (member.membership ??= new Membership(member, home.fanOuts))
    if (membership.groups.has(group)) return true
    home.check(this.name, membership.groups.size + 1)
    if (group.#members.size === 0) home.formed(group)
    group.#members.set(membership, home.fanOuts.newest)
    membership.groups.add(group)
    return true
  }

  delete(who: GroupMember): boolean {
    const { membership } = this.#home.find(who, 'group.delete()')
    const group = this.#current
    if (membership?.groups.has(group) !== true) return false
    membership.catchUp()
    membership.groups.delete(group)
    group.forget(membership)
    return true
  }

  has(who: GroupMember): boolean {
    const { membership } = this.#home.find(who, 'group.has()')
    return membership?.groups.has(this.#current) === true
  }

  send(data: Data, options?: GroupSendOptions): GroupSendResult {
    const { except, ...given } = readGroup(options, SEND_CHECKS, 'options', 'group.send()')
    const out = except && this.#home.find(except, 'group.send()').membership
    const message = new SharedMessage(data, given)
    return this.#home.fanOuts.send(this.#current.#crowd, message, out)
  }

  close(code?: number, reason?: string | Buffer): void {
    this.#home.fanOuts.close(this.#current.#crowd, code, reason)
  }

  *[Symbol.iterator](): IterableIterator<GroupMember> {
    for (const { member } of this.#current.#members.keys()) yield member.face
  }

  nextFor(membership: Membership): Owed | undefined {
    return this.#crowd.waiting.nextFor(membership)
  }

  /** It is no member any more. */
  forget(membership: Membership): void {
    this.#members.delete(membership)
    if (this.#members.size === 0) this.#home.emptied(this)
  }

  get #current(): Group {
    return this.#home.inUse.get(this.name) ?? this
  }
}
