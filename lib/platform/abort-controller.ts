import { setMaxListeners } from 'node:events'

/** A controller whose signal may be handed to any number of operations: node would warn at the 11th. */
export function makeController(): AbortController {
  const controller = new AbortController()
  setMaxListeners(0, controller.signal)
  return controller
}
