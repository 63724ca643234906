import type { Socket } from 'node:net'
import { turns } from '../time/fake-clock.js'

/** What one read of a socket holds at most. */
export const ONE_READ = 64 * 1024

/** Resolves when the server reads no more for 50 polls of the loop. */
export async function stalled(raw: Socket): Promise<number> {
  let last = -1
  for (let quiet = 0; quiet < 50; quiet++) {
    if (raw.bytesRead !== last) quiet = 0
    last = raw.bytesRead
    await turns(1)
  }
  return last
}
