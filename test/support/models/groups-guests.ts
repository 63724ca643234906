import type { GroupMember } from '../../../lib/index.js'
import type { Client } from '../peers/client.js'
import { LinkPeer } from '../peers/link-peer.js'

/** What a client has heard of the app, over all its connections. */
export abstract class GroupGuest {
  readonly expected: string[] = []
  isOpen = true
  /** What its `onClose` saw of the groups that it is in. */
  groupsAtEnd: readonly string[] | undefined
  readonly face: GroupMember

  constructor(face: GroupMember) {
    this.face = face
  }

  abstract readonly heard: readonly string[]
  /** Comes back if its line was cut. */
  async comeBack(): Promise<void> {}
  cut(): void {}
  abstract leave(): void
}

export class PlainGuest extends GroupGuest {
  readonly #client: Client

  constructor(face: GroupMember, client: Client) {
    super(face)
    this.#client = client
  }

  get heard(): readonly string[] {
    return this.#client.events.filter((text) => text.startsWith('m'))
  }

  leave(): void {
    this.#client.ws.terminate()
  }
}

export class LinkGuest extends GroupGuest {
  readonly #url: string
  readonly #mayComeBack: boolean
  #peer: LinkPeer
  #attempt = 0
  #isCut = false
  #before: string[] = []

  constructor(face: GroupMember, peer: LinkPeer, url: string, mayComeBack: boolean) {
    super(face)
    this.#url = url
    this.#peer = peer
    this.#mayComeBack = mayComeBack
  }

  get heard(): readonly string[] {
    return [...this.#before, ...this.#peer.frames.filter((text) => text.startsWith('m'))]
  }

  override cut(): void {
    if (!this.#mayComeBack || this.#isCut) return
    this.#isCut = true
    this.#before = [...this.heard]
    this.#peer.frames.length = 0
    this.#peer.cut()
  }

  override async comeBack(): Promise<void> {
    if (!this.#isCut || !this.isOpen) return
    const resume = this.#peer.resume(++this.#attempt, this.#before.length)
    this.#isCut = false
    this.#peer = new LinkPeer(this.#url, { resume })
    await this.#peer.expect('welcome')
  }

  leave(): void {
    this.#peer.ws.terminate()
  }
}
