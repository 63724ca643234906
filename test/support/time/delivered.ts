import { watchSockets } from '../../../lib/testing/delivered.js'

// Also of what a test connects before it has a clock.
watchSockets()

export { delivered, expectNoEndOf } from '../../../lib/testing/delivered.js'
