import type { Socket } from 'node:net'
import { expectNoEndOf as expectNoEndOfTcp, watchSockets } from '../../../lib/testing/delivered.js'
import { beneath } from '../servers/tls-pass.js'

// Also of what a test connects before it has a clock.
watchSockets()

export { delivered } from '../../../lib/testing/delivered.js'

export function expectNoEndOf(socket: Socket): void {
  expectNoEndOfTcp(beneath(socket))
}
