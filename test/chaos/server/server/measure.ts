import { setImmediate as turn, setTimeout as wait } from 'node:timers/promises'
import process from 'node:process'
import { promisify } from 'node:util'
import { getHeapCodeStatistics } from 'node:v8'
import type { FastifyInstance } from 'fastify'
import { nothingLeft, SomethingLeftError } from '../../../../lib/testing/index.js'
import type { Measurement } from './config.js'

/** How long what has ended may take until nothing is left of it, in ms: its hooks and releases take their time. */
const PATIENCE = 20_000

/** Bytes that are still in use, after all garbage has gone. */
async function heapInUse(): Promise<{ heap: number; buffers: number }> {
  for (let round = 0; round < 4; round++) {
    // Finalizers, and what they let go of.
    globalThis.gc?.()
    await turn()
  }
  const { heapUsed, arrayBuffers } = process.memoryUsage()
  // V8 goes on to compile for as long as a program runs.
  const { bytecode_and_metadata_size: bytecode, code_and_metadata_size: code } =
    getHeapCodeStatistics()
  return { heap: heapUsed - code - bytecode, buffers: arrayBuffers }
}

/** What is left once all peers have gone. */
export async function measure(app: FastifyInstance): Promise<Measurement> {
  const left = await leftOf(app)
  const sockets = await connectionsOf(app)
  const { byRoute, opened } = app.websocketLifecycle.stats()
  const open = Object.entries(byRoute).map(([route, { open }]) => [route, open] as const)
  return {
    ...(await heapInUse()),
    resources: countOf(process.getActiveResourcesInfo()),
    sockets,
    left,
    open: Object.fromEntries(open.filter(([, count]) => count > 0)),
    opened,
  }
}

async function leftOf(app: FastifyInstance): Promise<readonly string[]> {
  try {
    await nothingLeft(app, { timeout: PATIENCE })
    return []
  } catch (error) {
    if (error instanceof SomethingLeftError) return error.left
    throw error
  }
}

/** A socket that is closed takes a moment; nothing else does. */
async function connectionsOf({ server }: FastifyInstance): Promise<number> {
  const count = promisify(server.getConnections.bind(server))
  const until = performance.now() + PATIENCE
  let sockets = await count()
  while (sockets > 0 && performance.now() < until) {
    await wait(50)
    sockets = await count()
  }
  return sockets
}

function countOf(names: readonly string[]): Record<string, number> {
  const counts: Record<string, number> = {}
  for (const name of names) counts[name] = (counts[name] ?? 0) + 1
  return counts
}
