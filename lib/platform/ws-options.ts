/**
 * The options of ws's server that only we may set. An app must leave them out of `websocket`. The types and
 * the checks are made from this list.
 */
export const OURS_TO_SET = [
  'noServer',
  'path',
  'WebSocket',
  'closeTimeout',
  'server',
  'host',
  'port',
  'backlog',
] as const

export type OursToSet = (typeof OURS_TO_SET)[number]
