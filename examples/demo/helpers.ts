import { once } from 'node:events'
import { setTimeout as delay } from 'node:timers/promises'
import { ACTS, type Act, isAct } from './acts.js'
import { dial, type Line } from './dial.js'
import type { RoomEvent } from './events.js'
import type { House } from './house.js'

/** So many at a time; those who stay count too. */
const MOST = 12

/** Guests that the server starts over loopback, to end as browsers cannot. */
export class Helpers {
  readonly #house: House
  /** How long one is there before it ends, in ms: so that it is seen. */
  readonly #linger: number
  readonly #lines = new Map<string, Line>()
  #room = ''
  /** With those that are on their way in or out. */
  #count = 0

  constructor(house: House, linger: number) {
    this.#house = house
    this.#linger = linger
    house.on('helper', (act, code) => {
      if (isAct(act)) void this.#send(act, code)
    })
    // A frozen one reads no more: nobody else tells it that it is out.
    house.on('left', ({ guest }) => this.#lines.get(guest.id)?.ws.terminate())
  }

  /** Where the room is, and how many come in to stay. */
  async moveIn(room: URL, regulars: number): Promise<void> {
    room.searchParams.set('helper', 'true')
    this.#room = room.href
    for (let i = 0; i < regulars; i++) await this.#enter()
  }

  async #send(act: Act, code: number): Promise<void> {
    if (this.#count >= MOST) {
      this.#house.note('The room is full of guests: let some of them end first.')
      return
    }
    const line = await this.#enter(act === 'throw' ? '&fault=throw' : '').catch(() => undefined)
    if (line === undefined) return // the server is being drained
    await delay(this.#linger, undefined, { ref: false })
    if (line.isOpen) await ACTS[act](line, code)
    this.#house.emit('acted', act)
  }

  async #enter(query = ''): Promise<Line> {
    const line = dial(this.#room + query)
    this.#count++
    line.ws.once('close', () => this.#count--)
    const [data] = (await once(line.ws, 'message')) as [Buffer]
    const { you } = JSON.parse(data.toString()) as Extract<RoomEvent, { type: 'welcome' }>
    this.#lines.set(you.id, line)
    this.#house.follow(you.id, line)
    line.ws.once('close', () => this.#lines.delete(you.id))
    return line
  }
}
