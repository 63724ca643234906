/** A process of its own: echoes on one connection, and writes the worst round trip of each round. */
import { OPCODES, webSocket } from './dialects.js'
import { behave, open } from './peers.js'

/** ms. */
const WARM_UP = 500
/** Between two trips: the bystander is no load, and misses a stall by no more than this. */
const PAUSE = 1

const [port = NaN, rounds = NaN, duration = NaN] = process.argv.slice(2).map(Number)
const message = webSocket.message(64)
const [socket] = await open({ port, dialect: webSocket }, 1)
if (socket === undefined) throw new Error('No connection')

const startAt = performance.now() + WARM_UP
const worsts = Array.from({ length: rounds }, () => 0)
let sentAt = 0
const trip = (): void => {
  sentAt = performance.now()
  socket.write(message)
}

behave(socket, (opcode) => {
  if (opcode !== OPCODES.text) return
  const round = Math.floor((sentAt - startAt) / duration)
  if (round >= 0) worsts[round] = Math.max(worsts[round] ?? 0, performance.now() - sentAt)
  if (round < rounds) {
    setTimeout(trip, PAUSE)
  } else {
    console.log(JSON.stringify(worsts.slice(0, rounds)))
    socket.destroy()
  }
})
trip()
