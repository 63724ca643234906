import { PLACES_OF_ROUTE } from './kernel-bounds.js'
import { kernel, playWith } from './kernel.js'

/** A model that is wrong: it expects one place less than there is. */
export const wrongKernel: typeof kernel = {
  ...kernel,
  name: 'wrongKernel',
  file: 'wrong-kernel.ts',
  play: (schedule) => playWith(PLACES_OF_ROUTE - 1, schedule),
}
