import type { Line } from './dial.js'

/** More than the room takes in one message. */
const TOO_MUCH = 'x'.repeat(5_000)

/** How a helper can end its connection. */
export const ACTS = {
  close: ({ ws }) => ws.close(1000, 'bye'),
  code: ({ ws }, code) => ws.close(isForApps(code) ? code : 4000),
  cut: ({ tcp }) => void tcp.end(),
  reset: ({ tcp }) => void tcp.resetAndDestroy(),
  freeze: ({ ws }) => ws.pause(),
  garbage: ({ tcp }) => void tcp.write('This is no WebSocket frame'),
  flood: ({ ws }) => ws.send(TOO_MUCH),
  throw: () => {}, // it asked for it when it came
  reject: ({ ws }) => ws.send('/reject'),
  kick: ({ ws }) => ws.send('/kick'),
  terminate: ({ ws }) => ws.send('/terminate'),
} satisfies Record<string, (line: Line, code: number) => void>

export type Act = keyof typeof ACTS

export function isAct(name: string): name is Act {
  return Object.hasOwn(ACTS, name)
}

/** RFC 6455 §7.4.2; a browser's own close() takes no others either, but for 1000. */
function isForApps(code: number): boolean {
  return code === 1000 || (code >= 3000 && code <= 4999)
}
