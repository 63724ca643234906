import { setTimeout as delay } from 'node:timers/promises'
import type { House } from './house.js'
import type { Seat } from './seat.js'
import { talk } from './talk.js'

/** How long the room takes for one of many messages, and for a job, in ms. */
const DROP = 1
const JOB = 500

/** Handles a message: what the page's buttons send, or else what is said to everybody. */
export async function hear(house: House, seat: Seat, text: string): Promise<void> {
  await obey(house, seat, text.trim())
  seat.handled++
}

async function obey(house: House, seat: Seat, text: string): Promise<void> {
  const [command = '', act = '', code] = text.split(/\s+/, 3)
  switch (command) {
    case '/kick':
      seat.socket.close(4001, 'kicked')
      return
    case '/terminate':
      seat.socket.terminate()
      return
    case '/reject':
      throw new Error('This onMessage rejects')
    case '/drain':
      house.emit('drain')
      return
    case '/helper':
      house.emit('helper', act, Number(code))
      return
    case '/flood':
      seat.load = 'flood'
      await delay(DROP)
      return
    case '/job':
      seat.load = 'jobs'
      await delay(JOB)
      house.say(seat, text.slice(command.length))
      return
    case '/talk':
      await talk(seat.socket)
      return
    default:
      house.say(seat, text)
  }
}
