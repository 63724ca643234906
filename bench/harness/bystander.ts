import { fork } from 'node:child_process'
import { once } from 'node:events'
import { path } from './contestants.js'
import type { Server } from './server.js'

/**
 * One more connection, that of a process of its own, which echoes all the time: what the driver has to
 * do for its peers does not keep it waiting.
 * @returns the worst round trip within each of so many rounds of so many ms, in ms
 */
export async function worstTrips(
  { port }: Server,
  rounds: number,
  duration: number,
): Promise<number[]> {
  const bystander = fork(path('harness/bystander-process.ts'), [port, rounds, duration].map(String))
  const exited = once(bystander, 'exit')
  try {
    const [worsts] = (await Promise.race([
      once(bystander, 'message'),
      exited.then(() => Promise.reject(new Error('The bystander ended instead of answering'))),
    ])) as [number[]]
    return worsts
  } finally {
    bystander.kill()
    await exited
  }
}
