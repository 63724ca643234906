import { LOG_LINES } from '../facts/log-lines.js'
import { logSafely } from '../facts/log.js'
import { startForAll } from '../platform/context.js'
import { toError } from '../platform/thrown.js'
import { Answers } from './answers.js'
import type { Here, Part } from './here.js'
import { type Answer, decode, encodeAnswer, encodeRequest, type Request } from './protocol.js'
import { DELIVER } from './scripts/deliver.js'
import { LIVE } from './scripts/live.js'

/** How long other nodes have to answer, in ms. */
const ANSWER_WITHIN = 2_000

/** Of how many nodes it is remembered what they have asked last. */
const MOST_REMEMBERED = 4_096

/** Who can be asked, and until when. */
export interface Round {
  readonly live: ReadonlySet<string>
  /** After that nothing is delivered any more: in ms of Redis's clock. */
  readonly lateAt: number
  /** After that nobody is waited for: in monotonic ms. */
  readonly endsAt: number
}

/**
 * Sends a part of an answer, the last one with `isLast`.
 * @returns whether more parts are wanted; never rejects
 */
export type Reply = (content: Omit<Answer, 'part' | 'isLast'>, isLast: boolean) => Promise<boolean>

/** Does what another node asks; returns at once if that is the work of another part. */
export type Serve = (request: Request, reply: Reply) => Promise<void>

/** What this node and the others say to each other, by pub/sub, on a channel for each node. */
export class Mail implements Part {
  readonly #here: Here
  readonly #serving: Serve[] = []
  readonly #waiting = new Map<number, Answers>()
  #lastId = 0
  /** The newest request of each node. A client may send one twice, and both may come. */
  readonly #newest = new Map<string, number>()
  #channel = ''
  #hasLogged = false

  constructor(here: Here) {
    this.#here = here
  }

  /** Hears what is sent to this node by this name. Nobody should learn of the name before. */
  async hear(node: string): Promise<void> {
    const { names, redis } = this.#here
    const former = this.#channel
    this.#channel = names.channelOf(node)
    await redis.subscribe(this.#channel, this.#heard)
    if (former !== '' && former !== this.#channel) await redis.unsubscribe(former)
  }

  serve(serve: Serve): void {
    this.#serving.push(serve)
  }

  /** @throws (rejects with) FST_ERR_WSL_CLUSTER_UNAVAILABLE */
  async beginRound(): Promise<Round> {
    const { clock, names, redis } = this.#here
    const endsAt = clock.now() + ANSWER_WITHIN
    const [now, ...live] = (await redis.run(LIVE, [names.nodes])) as [number, ...string[]]
    return { live: new Set(live), lateAt: now + ANSWER_WITHIN, endsAt }
  }

  /**
   * Asks other nodes. What is asked first is delivered first.
   * @param take gets each part of an answer
   * @returns those that have not answered, or only in part
   * @throws (rejects with) FST_ERR_WSL_CLUSTER_UNAVAILABLE
   */
  async ask(
    nodes: readonly string[],
    request: Request,
    { lateAt, endsAt }: Round,
    take: (node: string, answer: Answer) => void = () => {},
  ): Promise<readonly string[]> {
    if (nodes.length === 0) return []
    const { clock, id: from } = this.#here
    const id = ++this.#lastId
    const answers = new Answers(nodes, take)
    this.#waiting.set(id, answers)
    const left = Math.max(0, endsAt - clock.now())
    const timer = startForAll(() => clock.setTimeout(() => answers.end(), left))
    timer.unref()
    this.#deliver(nodes, encodeRequest(from, id, request), lateAt).then(
      (counts) => this.#delivered(nodes, counts, request, answers),
      (error: unknown) => answers.fail(error),
    )
    try {
      await answers.over
    } finally {
      clock.clearTimeout(timer)
      this.#waiting.delete(id)
    }
    return answers.unreached
  }

  /** It keeps nothing in Redis. */
  writeAgain(): void {}

  /** It keeps nothing in Redis. */
  fenced(): void {}

  /** It keeps nothing in Redis. */
  cutOff(): void {}

  async leave(): Promise<void> {
    await this.#here.redis.unsubscribe(this.#channel)
  }

  async #deliver(nodes: readonly string[], text: string, lateAt: number): Promise<number[]> {
    const { names, redis } = this.#here
    const channels = nodes.map((node) => names.channelOf(node))
    return (await redis.run(DELIVER, [names.nodes], lateAt, text, ...channels)) as number[]
  }

  #delivered(
    nodes: readonly string[],
    counts: readonly number[],
    request: Request,
    answers: Answers,
  ): void {
    const isAnswered = request.op !== 'send' || request.asks
    const isTooLate = counts.length === 0
    for (const [at, node] of nodes.entries()) {
      const isHeard = counts[at] !== 0 || !this.#here.redis.countsHearers
      if (isTooLate || !isHeard) answers.giveUp(node)
      else if (!isAnswered) answers.done(node)
    }
  }

  readonly #heard = (text: string): void => {
    const message = decode(text)
    if (message === undefined) {
      if (this.#hasLogged) return
      this.#hasLogged = true
      logSafely(this.#here.log, LOG_LINES.clusterMessageIgnored, {})
      return
    }
    const { from, id, request } = message
    if (request === undefined) this.#waiting.get(id)?.take(from, message.answer)
    else if (this.#isNew(from, id)) void this.#serve(from, id, request)
  }

  #isNew(from: string, id: number): boolean {
    if (id <= (this.#newest.get(from) ?? 0)) return false
    this.#newest.set(from, id)
    const [first] = this.#newest.keys()
    if (this.#newest.size > MOST_REMEMBERED && first !== undefined) this.#newest.delete(first)
    return true
  }

  /** Never rejects. */
  async #serve(from: string, id: number, request: Request): Promise<void> {
    const reply = this.#replyTo(from, id)
    try {
      for (const serve of this.#serving) await serve(request, reply)
    } catch (error) {
      logSafely(this.#here.log, LOG_LINES.clusterRequestFailed, { err: toError(error) })
    }
  }

  #replyTo(from: string, id: number): Reply {
    const { clock, id: node, names, redis } = this.#here
    const until = clock.now() + ANSWER_WITHIN
    let part = 0
    return async (content, isLast) => {
      if (clock.now() > until) return false
      const text = encodeAnswer(node, id, { part: part++, isLast, ...content })
      try {
        return (await redis.publish(names.channelOf(from), text)) > 0
      } catch {
        // There is no other way to tell: whoever asks reports this node as unreached.
        return false
      }
    }
  }
}
