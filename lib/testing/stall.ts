/**
 * Blocks the thread for so many ms of real time: no timer fires and nothing is read meanwhile, as when an app computes
 * for too long. A manual clock does not notice; it has a `stall()` of its own.
 */
export function stallEventLoop(ms: number): void {
  Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, ms)
}
