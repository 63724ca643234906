// A server with groups, whose clients are of all kinds.
import Fastify, { type FastifyInstance } from 'fastify'
import type { GroupMember } from '../../../lib/index.js'
import { createPlugin } from '../../../lib/plugin/plugin.js'
import { Client } from '../peers/client.js'
import { LinkPeer } from '../peers/link-peer.js'
import { portOf } from '../servers/app.js'
import { SlicingClock } from '../time/slicing-clock.js'
import type { Kind } from './groups-commands.js'
import { type GroupGuest, LinkGuest, PlainGuest } from './groups-guests.js'

export class GroupsWorld {
  readonly clock = new SlicingClock()
  readonly app: FastifyInstance = Fastify()
  readonly guests: GroupGuest[] = []
  readonly #faces: GroupMember[] = []

  static async serve(): Promise<GroupsWorld> {
    const world = new GroupsWorld()
    const { app } = world
    await app.register(createPlugin(world.clock), {
      keepalive: false,
      // A session keeps what its client has not confirmed.
      outbox: { maxBytes: 16 * 1024 * 1024 },
      websocket: { perMessageDeflate: { threshold: 100 } },
    })
    const onClose = (face: GroupMember): void => {
      const guest = world.guests.find((one) => one.face === face)
      if (guest !== undefined) guest.groupsAtEnd = face.groups
    }
    app.get('/', { websocket: true, onClose }, (socket) => void world.#faces.push(socket))
    app.get('/s', { websocket: true, resume: { key: () => null }, onClose }, (session) => {
      world.#faces.push(session)
    })
    await app.listen({ host: '127.0.0.1', port: 0 })
    return world
  }

  async enter(kind: Kind): Promise<void> {
    const url = `ws://127.0.0.1:${portOf(this.app)}`
    const path = kind === 'session' || kind === 'no link' ? `${url}/s` : `${url}/`
    if (kind === 'session' || kind === 'link') {
      const peer = await LinkPeer.confirmed(path)
      this.guests.push(new LinkGuest(this.#newest, peer, path, kind === 'session'))
      return
    }
    const perMessageDeflate =
      kind === 'packed alone' ? { serverNoContextTakeover: true } : kind === 'packed together'
    const client = await Client.open(path, { perMessageDeflate })
    await client.roundTrip()
    this.guests.push(new PlainGuest(this.#newest, client))
  }

  /** All are gone, whatever a schedule has left behind. */
  async clear(): Promise<void> {
    this.clock.step = 0
    for (const guest of this.guests) {
      guest.leave()
      guest.face.terminate()
    }
    await Promise.all(this.guests.map(async ({ face }) => face.closed))
  }

  get #newest(): GroupMember {
    return this.#faces.at(-1) as GroupMember
  }
}
