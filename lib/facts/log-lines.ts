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
