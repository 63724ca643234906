import type { FastifyRequest } from 'fastify'
import type { ConnectionDescription } from '../api/lifecycle.js'
import type { LifecycleSession } from '../api/session.js'
import type { Data, Message, SendOptions } from '../api/socket.js'
import type { CloseInfo } from '../core/close/info.js'
import type { ConnectionScope } from '../core/scope.js'
import type { Facts } from '../facts/facts.js'
import { type Member, namesOf } from '../groups/membership.js'
import type { SendCallback } from '../outbox/send-callbacks.js'
import { isOptions, NO_OPTIONS } from '../outbox/send-options.js'

/** What the app can ask of a session, and tell it. */
export interface FaceOwner {
  readonly id: string
  readonly request: FastifyRequest
  readonly protocol: string
  readonly scope: ConnectionScope
  readonly closed: Promise<CloseInfo>
  readonly latency: number | undefined
  readonly isSuspended: boolean
  send(data: Data, options: SendOptions, callback: SendCallback | undefined): boolean
  drained(): Promise<boolean>
  messages(): AsyncIterableIterator<Message>
  close(code: number | undefined, reason: string | Buffer | undefined): void
  terminate(): void
  expireAt(when: Date | number): void
  describe(): ConnectionDescription
  readonly shared: { readonly facts: Facts }
  /** The session, as groups know it. */
  readonly member: Member
}

/** What the app gets of a session. It decides nothing. */
export class Face implements LifecycleSession {
  readonly #owner: FaceOwner

  constructor(owner: FaceOwner) {
    this.#owner = owner
  }

  static isOne(value: unknown): value is Face {
    return typeof value === 'object' && value !== null && #owner in value
  }

  static ownerOf(face: Face): FaceOwner {
    return face.#owner
  }

  get id(): string {
    return this.#owner.id
  }

  get request(): FastifyRequest {
    return this.#owner.request
  }

  get protocol(): string {
    return this.#owner.protocol
  }

  get scope(): ConnectionScope {
    return this.#owner.scope
  }

  get closed(): Promise<CloseInfo> {
    return this.#owner.closed
  }

  get latency(): number | undefined {
    return this.#owner.latency
  }

  get groups(): readonly string[] {
    return namesOf(this.#owner.member.membership)
  }

  get suspended(): boolean {
    return this.#owner.isSuspended
  }

  send(data: Data, callback?: SendCallback): boolean
  send(data: Data, options: SendOptions, callback?: SendCallback): boolean
  send(data: Data, options?: SendOptions | SendCallback, callback?: SendCallback): boolean {
    const given = isOptions(options) ? options : NO_OPTIONS
    return this.#owner.send(data, given, typeof options === 'function' ? options : callback)
  }

  drained(): Promise<boolean> {
    return this.#owner.drained()
  }

  messages(): AsyncIterableIterator<Message> {
    return this.#owner.messages()
  }

  close(code?: number, reason?: string | Buffer): void {
    this.#owner.close(code, reason)
  }

  terminate(): void {
    this.#owner.terminate()
  }

  expireAt(when: Date | number): void {
    this.#owner.expireAt(when)
  }
}
