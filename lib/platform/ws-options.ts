/** Options of ws's server that are ours to set: an app must leave them out of `websocket`. The types and the checks follow from it. */
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
