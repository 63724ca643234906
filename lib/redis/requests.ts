import { CloseCode, isSendableCode } from '../core/close/codes.js'
import { invalidOption } from '../errors.js'
import { kindOf } from '../options/complaints.js'
import { Deferred } from '../platform/deferred.js'
import { nextTurn } from '../platform/real-time.js'
import type { Here } from './here.js'
import { checkKey } from './keys.js'
import { type LocalMember, type LocalMembers, MEMBERS_PER_TURN } from './local-members.js'
import type { Mail, Reply, Round } from './mail.js'
import type { Answer, Request } from './protocol.js'
import type { CloseResult, FindResult, FoundConnection, PublishResult } from './results.js'

/** What is told where other nodes believe that this one has members of a group, and it has none. */
interface Registered {
  isWithout(key: string): void
}

/** What other nodes answered, and who did not. */
interface Outcome {
  /** How many were asked. */
  readonly asked: number
  readonly unreached: readonly string[]
}

type ToMembers = Extract<Request, { readonly key: string }>

/**
 * The operations over all nodes. Each does at once what is to be done on this node. Each rejects with
 * FST_ERR_WSL_INVALID_OPTION or FST_ERR_WSL_CLUSTER_KEY before anything is done, and with
 * FST_ERR_WSL_CLUSTER_UNAVAILABLE when this node's own part has been done.
 */
export class Requests {
  readonly #here: Here
  readonly #mail: Mail
  readonly #local: LocalMembers
  readonly #registered: Registered
  /** For each key, when the newest operation has been handed to Redis. */
  readonly #handedOver = new Map<string, Promise<void>>()

  constructor(here: Here, mail: Mail, local: LocalMembers, registered: Registered) {
    this.#here = here
    this.#mail = mail
    this.#local = local
    this.#registered = registered
    mail.serve(async (request, reply) => this.#serve(request, reply))
  }

  async find(key: string): Promise<FindResult> {
    check(key, 'find')
    const found: FoundConnection[] = []
    const add = (node: string, members: readonly LocalMember[] = []): void => {
      for (const { id, route, openedAt, suspended } of members) {
        found.push({ id, node, route, openedAt, suspended })
      }
    }
    const { id } = this.#here
    const own = this.#findHere(key, async (members) => {
      add(id, members)
      await nextTurn()
      return true
    })
    const request = { op: 'find', key } as const
    const { unreached } = await this.#askAll(own, request, (node, answer) =>
      add(node, answer.found),
    )
    return { found, unreached }
  }

  async close(
    key: string,
    code: number = CloseCode.NormalClosure,
    reason = '',
  ): Promise<CloseResult> {
    check(key, 'close')
    if (!isSendableCode(code)) {
      refuse('code', 'a close code that may be sent (such as 1000, or 3000 to 4999)', code, 'close')
    }
    if (typeof reason !== 'string') refuse('reason', 'a string', reason, 'close')
    let closed = 0
    const own = this.#local.close(key, code, reason).then((count) => {
      closed += count
    })
    const request = { op: 'close', key, code, reason } as const
    const { unreached } = await this.#askAll(own, request, (_node, answer) => {
      closed += answer.closed ?? 0
    })
    return { closed, unreached }
  }

  async publish(key: string, message: string | Uint8Array): Promise<PublishResult> {
    check(key, 'publish')
    if (typeof message !== 'string' && !(message instanceof Uint8Array)) {
      refuse('message', 'a string or a Uint8Array', message, 'publish')
    }
    const hasMembers = this.#local.has(key)
    this.#local.send(key, message)
    // The app may use its bytes again.
    const data = typeof message === 'string' ? message : new Uint8Array(message)
    const request = { op: 'send', key, data, asks: !this.#here.redis.countsHearers } as const
    const { asked, unreached } = await this.#askAll(undefined, request)
    return { nodes: Number(hasMembers) + asked - unreached.length, unreached }
  }

  /** @param own this node's part */
  async #askAll(
    own: Promise<void> | undefined,
    request: ToMembers,
    take?: (node: string, answer: Answer) => void,
  ): Promise<Outcome> {
    const [outcome] = await Promise.allSettled([this.#askOthers(request, take), own])
    await own
    if (outcome.status === 'rejected') throw outcome.reason
    return outcome.value
  }

  /** Hands over to Redis, for each key in the order of the calls. */
  async #askOthers(
    request: ToMembers,
    take: ((node: string, answer: Answer) => void) | undefined,
  ): Promise<Outcome> {
    const { key } = request
    const before = this.#handedOver.get(key)
    const handedOver = new Deferred<void>()
    const isHandedOver = handedOver.promise
    this.#handedOver.set(key, isHandedOver)
    try {
      const [holders] = await Promise.allSettled([this.#holdersOf(key), before])
      if (holders.status === 'rejected') throw holders.reason
      const { nodes, round } = holders.value
      const unreached = this.#mail.ask(nodes, request, round, take)
      handedOver.resolve()
      return { asked: nodes.length, unreached: await unreached }
    } finally {
      handedOver.resolve()
      if (this.#handedOver.get(key) === isHandedOver) this.#handedOver.delete(key)
    }
  }

  /** The other nodes that have members, and are alive. */
  async #holdersOf(key: string): Promise<{ nodes: string[]; round: Round }> {
    const { id, names, redis } = this.#here
    const [holders, round] = await Promise.all([
      redis.command('SMEMBERS', names.holdersOf(key)) as Promise<string[]>,
      this.#mail.beginRound(),
    ])
    return { nodes: holders.filter((node) => node !== id && round.live.has(node)), round }
  }

  async #serve(request: Request, reply: Reply): Promise<void> {
    if (!('key' in request)) return
    const { key } = request
    if (!this.#local.has(key)) this.#registered.isWithout(key)
    if (request.op === 'find') {
      await this.#findHere(key, async (found, isLast) => reply({ found }, isLast))
    } else if (request.op === 'close') {
      const closed = await this.#local.close(key, request.code, request.reason)
      await reply({ closed }, true)
    } else {
      this.#local.send(key, request.data)
      if (request.asks) await reply({}, true)
    }
  }

  /** @param give gets some of them at a time, and tells whether it wants more */
  async #findHere(
    key: string,
    give: (members: readonly LocalMember[], isLast: boolean) => Promise<boolean>,
  ): Promise<void> {
    let some: LocalMember[] = []
    for (const member of this.#local.find(key)) {
      if (some.length === MEMBERS_PER_TURN) {
        if (!(await give(some, false))) return
        some = []
      }
      some.push(member)
    }
    await give(some, true)
  }
}

/** @throws FST_ERR_WSL_INVALID_OPTION, FST_ERR_WSL_CLUSTER_KEY */
function check(key: unknown, operation: string): void {
  if (typeof key !== 'string') refuse('key', 'a string', key, operation)
  checkKey(key, '`key`', `in websocketCluster.${operation}()`)
}

/** @throws FST_ERR_WSL_INVALID_OPTION */
function refuse(name: string, expected: string, value: unknown, operation: string): never {
  throw invalidOption(
    `Expected \`${name}\` to be ${expected}, got ${kindOf(value)}, in websocketCluster.${operation}()`,
  )
}
