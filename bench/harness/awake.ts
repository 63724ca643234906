/**
 * Keeps the driver's loop turning, so that it never sleeps: over loopback the server would pay for waking
 * it, once for each ping that is sent alone, and not at all for those that are sent in a crowd.
 * @returns a function that lets it sleep again
 */
export function stayAwake(): () => void {
  let isAwake = true
  const turn = (): void => {
    if (isAwake) setImmediate(turn)
  }
  turn()
  return () => {
    isAwake = false
  }
}
