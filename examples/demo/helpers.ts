import { once } from 'node:events'
import { setTimeout as delay } from 'node:timers/promises'
import { ACTS, type Act, isAct } from './acts.js'
import { dial, type Peer } from './peer.js'
import type { RoomEvent } from './events.js'
import type { ChatRoom } from './chat-room.js'

/** So many at a time; those who stay count too. */
const MOST = 12

/** What is missed by whoever is away. */
const GOSSIP = [
  'One: somebody has lost their network.',
  'Two: they do not hear us.',
  'Three: the server keeps this for them.',
  'Four: all of it, in order.',
]

/** Test clients that the server starts over loopback, to end as browsers cannot. */
export class Helpers {
  readonly #chat: ChatRoom
  /** How long one is there before it ends, in ms: so that it is seen. */
  readonly #linger: number
  readonly #peers = new Map<string, Peer>()
  #room = ''
  /** With those that are on their way in or out. */
  #count = 0

  constructor(chat: ChatRoom, linger: number) {
    this.#chat = chat
    this.#linger = linger
    chat.on('helper', (act, code) => {
      if (isAct(act)) void this.#send(act, code)
    })
    // A frozen one reads no more: nobody else tells it that it is out.
    chat.on('left', ({ client }) => this.#peers.get(client.id)?.ws.terminate())
  }

  /** Where the room is, and how many come in to stay. */
  async moveIn(room: URL, regulars: number): Promise<void> {
    room.searchParams.set('helper', 'true')
    this.#room = room.href
    for (let i = 0; i < regulars; i++) await this.#enter()
  }

  /** One who stays says something, again and again, while somebody else cannot hear it. */
  async chatFor(duration: number): Promise<void> {
    const startedAt = performance.now()
    for (const [i, words] of GOSSIP.entries()) {
      const sayAt = startedAt + ((i + 1) * duration) / (GOSSIP.length + 1)
      await delay(sayAt - performance.now(), undefined, { ref: false })
      const peers = [...this.#peers.values()].filter(({ isOpen }) => isOpen)
      await peers[i % Math.max(1, peers.length)]?.say(words)
    }
  }

  async #send(act: Act, code: number): Promise<void> {
    if (this.#count >= MOST) {
      this.#chat.note('The server is full of test clients: let some of them end first.')
      return
    }
    const fault = act === 'throw' ? '&fault=throw' : ''
    const peer = await this.#enter(`&act=${act}${fault}`).catch(() => undefined)
    if (peer === undefined) return // the server is being drained
    await delay(this.#linger, undefined, { ref: false })
    if (peer.isOpen) await ACTS[act](peer, code)
    this.#chat.emit('acted', act)
  }

  async #enter(query = ''): Promise<Peer> {
    const peer = dial(this.#room + query)
    this.#count++
    peer.ws.once('close', () => this.#count--)
    const [data] = (await once(peer.ws, 'message')) as [Buffer]
    const { you } = JSON.parse(data.toString()) as Extract<RoomEvent, { type: 'welcome' }>
    this.#peers.set(you.id, peer)
    this.#chat.follow(you.id, peer)
    peer.ws.once('close', () => this.#peers.delete(you.id))
    return peer
  }
}
