import type { Line } from './dial.js'

/** More than the room takes in one message. */
const TOO_MUCH = 'x'.repeat(5_000)

/** A flood: more than the kernels on the way hold. */
const DROPS = 4_000
const DROP = `/flood ${'x'.repeat(4_000)}`

const JOBS = 5

/** What a helper can do until its connection ends. */
export const ACTS = {
  close: ({ ws }) => ws.close(1000, 'bye'),
  code: ({ ws }, code) => ws.close(isForApps(code) ? code : 4000),
  cut: ({ tcp }) => void tcp.end(),
  reset: ({ tcp }) => void tcp.resetAndDestroy(),
  freeze: ({ ws }) => ws.pause(),
  garbage: ({ tcp }) => void tcp.write('This is no WebSocket frame'),
  big: (line) => line.say(TOO_MUCH),
  throw: () => {}, // it asked for it when it came
  reject: (line) => line.say('/reject'),
  kick: (line) => line.say('/kick'),
  terminate: (line) => line.say('/terminate'),
  flood: async (line) => {
    for (let i = 0; i < DROPS && line.isOpen; i++) await line.say(DROP)
    line.ws.close(1000, 'bye')
  },
  jobs: async (line) => {
    const all = Array.from({ length: JOBS }, (_, i) => `Job ${i + 1} of ${JOBS}`)
    for (const job of all) void line.say(`/job ${job}`)
    await line.hear(all.at(-1) as string)
    line.ws.close(1000, 'bye')
  },
  deaf: async (line) => {
    line.ws.pause()
    await line.say('/talk')
  },
} satisfies Record<string, (line: Line, code: number) => unknown>

export type Act = keyof typeof ACTS

export function isAct(name: string): name is Act {
  return Object.hasOwn(ACTS, name)
}

/** RFC 6455 §7.4.2; a browser's own close() takes no others either, but for 1000. */
function isForApps(code: number): boolean {
  return code === 1000 || (code >= 3000 && code <= 4999)
}
