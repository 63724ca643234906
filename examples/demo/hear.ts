import type { House } from './house.js'
import type { Seat } from './seat.js'

/** What the page's buttons send; whatever else a client sends is said to everybody. */
export async function hear(house: House, seat: Seat, text: string): Promise<void> {
  const [command = '', act = '', code] = text.trim().split(/\s+/)
  switch (command) {
    case '/kick':
      seat.socket.close(4001, 'kicked')
      return
    case '/terminate':
      seat.socket.terminate()
      return
    case '/reject':
      throw new Error('This listener rejects')
    case '/drain':
      house.emit('drain')
      return
    case '/helper':
      house.emit('helper', act, Number(code))
      return
    default:
      house.say(seat, text)
  }
}
