// One who wants in, seen from both sides: what the server asks, what a test answers, what comes of it.
import type { FastifyReply, FastifyRequest } from 'fastify'
import type { LifecycleSocket } from '../../../lib/index.js'
import { OPCODE, RawPeer } from '../peers/raw-peer.js'

/** The steps of its admission that wait for an answer, in their order. */
export const STEPS = ['origin', 'onRequest', 'preHandler', 'expiresAt'] as const
export type Step = (typeof STEPS)[number]

export interface Wish {
  readonly path: '/http' | '/frame'
  readonly key: 'ann' | 'bob' | undefined
  /** Whether it is a page of a browser, whose origin is judged first. */
  readonly isPage: boolean
  /** Whether its handler throws. */
  readonly isUnlucky: boolean
}

/** Answers to a step: `pass`, or one in which a step keeps somebody out. */
export type Verdict = 'pass' | 'refuse' | 'throw' | 'close'

export class Guest {
  readonly wish: Wish
  /** Where the server says it is. */
  at: Step | 'nowhere' | 'open' | 'over' = 'nowhere'
  releases = 0
  closes = 0
  socket: LifecycleSocket | undefined
  /** What it was told: a status, `open`, or the code of a close frame. */
  told: string | undefined
  hasLeft = false
  #peer: RawPeer | undefined
  #answer: ((verdict: Verdict) => void) | undefined

  constructor(wish: Wish) {
    this.wish = wish
  }

  /** Whether a step of it waits, be it too late or not. */
  get isAsked(): boolean {
    return this.#answer !== undefined
  }

  async dial(port: number, id: number): Promise<void> {
    const { path, key, isPage } = this.wish
    this.#peer = await RawPeer.dial(port, path, {
      'x-guest': `${id}`,
      ...(key && { 'x-key': key }),
      ...(isPage && { origin: 'https://app.example' }),
    })
    void this.#listen(this.#peer)
  }

  leave(how: 'FIN' | 'RST'): void {
    if (this.hasLeft) return
    this.hasLeft = true
    if (how === 'FIN') this.#peer?.finish()
    else if (this.#peer?.hasEnded === false) this.#peer.reset()
  }

  /** Closes with a frame. */
  close(): void {
    this.#peer?.send(RawPeer.closeFrame(1000))
  }

  destroy(): void {
    this.#peer?.destroy()
  }

  /** The server asks, and waits. */
  async ask(step: Step, request: FastifyRequest): Promise<Verdict> {
    if (this.at === 'nowhere') this.#watch(request)
    // Hooks run on after their peer has gone.
    if (this.at !== 'over') this.at = step
    return new Promise((resolve) => {
      this.#answer = resolve
    })
  }

  /** Its handler runs. */
  opened(socket: LifecycleSocket): void {
    this.at = 'open'
    this.socket = socket
    if (this.wish.isUnlucky) throw new Error('no')
  }

  /** Its connection has ended. */
  closed(): void {
    this.closes++
  }

  /** Answers what the server has asked. */
  answer(verdict: Verdict): void {
    const answer = this.#answer
    this.#answer = undefined
    answer?.(verdict)
  }

  #watch({ wsScope }: FastifyRequest): void {
    wsScope?.signal.addEventListener('abort', () => {
      this.at = 'over'
    })
    wsScope?.defer(() => this.releases++)
  }

  /** Reads what comes, and answers a close frame. */
  async #listen(peer: RawPeer): Promise<void> {
    const answer = await peer.answer().catch(() => undefined)
    if (answer === undefined) return
    if (!answer.startsWith('HTTP/1.1 101')) {
      this.told = answer.slice(9, 12)
      return
    }
    for (let frame = await peer.next(); frame !== undefined; frame = await peer.next()) {
      if (frame.opcode === OPCODE.text) this.told = frame.payload.toString()
      if (frame.opcode !== OPCODE.close) continue
      if (this.told === undefined) this.told = `${frame.payload.readUInt16BE()}`
      peer.send(RawPeer.closeFrame(1000))
    }
  }
}

/** What a hook makes of a verdict. */
export function obey(verdict: Verdict, reply: FastifyReply): boolean {
  if (verdict === 'throw') throw new Error('no')
  if (verdict === 'refuse') void reply.code(401).send('who?')
  if (verdict === 'close') reply.refuseWebsocket()
  return verdict === 'pass'
}
