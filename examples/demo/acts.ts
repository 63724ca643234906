import type { Peer } from './peer.js'

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
  big: (peer) => peer.say(TOO_MUCH),
  throw: () => {}, // it asked for it when it came
  reject: (peer) => peer.say('/reject'),
  kick: (peer) => peer.say('/kick'),
  terminate: (peer) => peer.say('/terminate'),
  flood: async (peer) => {
    for (let i = 0; i < DROPS && peer.isOpen; i++) await peer.say(DROP)
    peer.ws.close(1000, 'bye')
  },
  jobs: async (peer) => {
    const all = Array.from({ length: JOBS }, (_, i) => `Job ${i + 1} of ${JOBS}`)
    for (const job of all) void peer.say(`/job ${job}`)
    await peer.hear(all.at(-1) as string)
    peer.ws.close(1000, 'bye')
  },
  deaf: async (peer) => {
    peer.ws.pause()
    await peer.say('/talk')
  },
} satisfies Record<string, (peer: Peer, code: number) => unknown>

export type Act = keyof typeof ACTS

export function isAct(name: string): name is Act {
  return Object.hasOwn(ACTS, name)
}

/** RFC 6455 §7.4.2; a browser's own close() takes no others either, but for 1000. */
function isForApps(code: number): boolean {
  return code === 1000 || (code >= 3000 && code <= 4999)
}
