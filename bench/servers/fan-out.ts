import type { WebSocket } from 'ws'

/** Sends one message to all. @returns how long that took, in ms */
export function fanOut(sockets: Iterable<WebSocket>, bytes: number): number {
  const message = 'a'.repeat(bytes)
  const startedAt = performance.now()
  for (const socket of sockets) socket.send(message)
  return performance.now() - startedAt
}

/** @returns how many bytes wait for all of them together */
export function held(sockets: Iterable<WebSocket>): number {
  let bytes = 0
  for (const socket of sockets) bytes += socket.bufferedAmount
  return bytes
}
