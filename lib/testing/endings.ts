import type { Server } from 'node:net'

/** What ends with a server. It has one listener of ours, however many peers it has. */
const endings = new WeakMap<Server, Set<() => void>>()

/** Calls back when the server has closed, unless {@link forget} is called before. */
export function endWith(server: Server, callback: () => void): void {
  const callbacks = endings.get(server) ?? new Set()
  callbacks.add(callback)
  if (endings.has(server)) return
  endings.set(server, callbacks)
  server.on('close', () => {
    for (const each of callbacks) each()
  })
}

export function forget(server: Server, callback: () => void): void {
  endings.get(server)?.delete(callback)
}
