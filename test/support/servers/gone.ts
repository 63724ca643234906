import type { Connected } from './server.js'
import { until } from '../time/timed.js'

/** Resolves when the transport is gone; hooks and releases may still run. */
export async function gone({ socket }: Pick<Connected, 'socket'>): Promise<void> {
  await until(() => socket.readyState === socket.CLOSED)
}
