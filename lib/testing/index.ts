/** The package entry `fastify-websocket-lifecycle/testing`. */
export type {
  Link,
  ManualClock,
  ParsingPeerOptions,
  Peer,
  PeerClose,
  PeerOptions,
  PeerTarget,
  TestApp,
} from './api.js'
export { connect } from './connect.js'
export { UpgradeRefusedError } from './handshake.js'
export { type LifecycleApp, nothingLeft, SomethingLeftError } from './left.js'
export { link } from './link.js'
export { manualClock } from './manual-clock.js'
export { stallEventLoop } from './stall.js'
