/** The part of a log line that is always the same. */
export interface LogLine {
  readonly level: 'debug' | 'info' | 'warn' | 'error'
  readonly text: string
}

/** Every line that this package logs. Those that need a value are the functions below. */
export const LOG_LINES = {
  callbackFailed: { level: 'error', text: 'a callback of a WebSocket connection failed' },
  upgradeCallbackFailed: { level: 'error', text: 'a callback of a WebSocket upgrade failed' },
  upgradeRefused: { level: 'info', text: 'WebSocket upgrade refused' },
  ignoreUpgradeFailed: { level: 'error', text: '`ignoreUpgrade` failed' },
  stepOverran: {
    level: 'warn',
    text: 'a step of the end of a WebSocket connection overran and was left behind',
  },
  leftStepFailed: { level: 'error', text: 'a step that was left behind has failed' },
  messageDiscarded: {
    level: 'warn',
    text: 'a message was discarded: the WebSocket route has no onMessage, and its handler has settled without a listener for messages',
  },
  connectionHistory: { level: 'debug', text: 'the last facts of a WebSocket connection' },
  sessionSuspended: {
    level: 'debug',
    text: 'WebSocket connection lost, the session waits for its client',
  },
  sessionResumed: { level: 'debug', text: 'WebSocket session resumed' },
  listenerFailed: {
    level: 'error',
    text: 'metrics, spans or the page for operators of WebSocket connections have failed; later failures are not logged',
  },
  authorizeFailed: {
    level: 'warn',
    text: '`authorize` of the page for operators has failed: that is a no',
  },
  closedByOperator: { level: 'info', text: 'an operator has closed a WebSocket connection' },
  stormBegun: {
    level: 'warn',
    text: 'many WebSocket connections end unexpectedly; until that is over, the line of each end has the level debug',
  },
  stormLasting: { level: 'warn', text: 'WebSocket connections still end unexpectedly' },
  stormOver: { level: 'warn', text: 'WebSocket connections no longer end unexpectedly' },
  loopStalled: { level: 'warn', text: 'the event loop has stood still, and WebSockets with it' },
  idleTimeout: {
    level: 'warn',
    text: 'WebSocket connections are cut off again and again after the same silence; a shorter `keepalive.interval` prevents that',
  },
  mutePeers: { level: 'warn', text: 'next to no WebSocket client of a route answers pings' },
  clusterCutOff: {
    level: 'warn',
    text: 'this node has not reached Redis for as long as its lease; until it does, other nodes do not count on it',
  },
  clusterBack: { level: 'warn', text: 'this node reaches Redis again' },
  clusterFenced: {
    level: 'warn',
    text: 'another node has taken this one for dead, and what was recorded for it; it goes on under a new name',
  },
  clusterLeftBehind: {
    level: 'warn',
    text: 'this node has left something in Redis; another one will clean up after it',
  },
  clusterDeaf: {
    level: 'warn',
    text: 'the connection on which this node hears other nodes is lost; it tries again',
  },
  clusterKeysNotWritten: {
    level: 'warn',
    text: 'what this node has could not be written to Redis, so other nodes may not find it; it is tried again',
  },
  clusterMessageIgnored: {
    level: 'warn',
    text: 'a message on the channel of this node was ignored: it is not of this version; later ones are not logged',
  },
  clusterRequestFailed: { level: 'error', text: 'a request of another node has failed' },
  clusterOwnerSilent: {
    level: 'warn',
    text: 'another node does not answer: clients that come here to resume a WebSocket session of it begin anew',
  },
  clusterClaimed: { level: 'warn', text: 'a node is dead, and this one cleans up after it' },
  clusterCleaned: { level: 'info', text: 'this node has cleaned up after a dead one' },
  clusterClaimLost: {
    level: 'warn',
    text: 'another node has to go on cleaning up after a dead one',
  },
  clusterForeign: {
    level: 'warn',
    text: 'a dead node has left records for which no route here has the name; another version of the app has to release them',
  },
  durableReleaseFailed: {
    level: 'error',
    text: 'a durable release has failed on a survivor, and is tried again',
  },
  durableReleaseGivenUp: {
    level: 'error',
    text: 'a durable release has failed for a day, and is given up',
  },
  drainEnded: { level: 'info', text: 'all WebSocket connections have ended' },
} as const

/** @param level see {@link closeLogLevel} */
export function connectionEnded(level: LogLine['level']): LogLine {
  return { level, text: 'WebSocket connection ended' }
}

/** @param sent the code that was sent in place of the app's code */
export function closeCodeReplaced(sent: number): LogLine {
  return { level: 'warn', text: `close() got a code that may not be sent; ${sent} was sent` }
}

/** See {@link closeCodeReplaced}. */
export function refusalCodeReplaced(sent: number): LogLine {
  return { level: 'warn', text: `refuseWebsocket() got a code that may not be sent; ${sent} was` }
}

/** @param waited how long messages have waited, in ms */
export function handlerKeepsMessages(waited: number): LogLine {
  return {
    level: 'warn',
    text: `messages have waited for ${waited} ms, because the handler of a WebSocket route has not settled`,
  }
}
