import { setMaxListeners } from 'node:events'

/** Makes a controller whose signal may have any number of listeners. node would warn at the 11th. */
export function makeController(): AbortController {
  const controller = new AbortController()
  setMaxListeners(0, controller.signal)
  return controller
}
