/** What the diagnosis reports, in words for people. */
import { cut } from '../facts/cut.js'
import type {
  BlockingStep,
  IdleTimeoutReport,
  MutePeersReport,
  StormReport,
} from '../facts/reports.js'
import { MOST } from './row.js'

export interface Words {
  readonly text: string
  readonly advice: string
}

/** Stalls of our loop, one soon after the other. Times are in ms. */
export interface Stalls {
  readonly count: number
  readonly total: number
  readonly longest: number
  /** What has blocked the loop the last time that this was known. */
  readonly during: BlockingStep | undefined
}

const NETWORK =
  'Look for a proxy, a load balancer or a network that has restarted, or is gone: was something deployed at that time?'
const RELEASE =
  'Look at the last release, of the server or of the client, and at the errors in the log.'

/** What to do if most connections of a storm have ended so. */
const ADVICE: Readonly<Record<string, string>> = {
  'connection-lost': NETWORK,
  'connection-reset': NETWORK,
  'heartbeat-timeout':
    'The network may be gone without a sign, or nobody answers pings: look at what stands between the clients and this server.',
  'handler-error': RELEASE,
  'message-too-big': RELEASE,
  'protocol-error': RELEASE,
  'slow-consumer':
    'More is sent than clients can take: send less, or in smaller pieces, or wait for drained().',
  'client-close':
    'Clients close with a code that is not in `expectedCloseCodes`: if that is as it should be, list it there.',
}

export function wordsOfStorm({ phase, count, causes, routes }: StormReport): Words {
  const [cause = ''] = Object.keys(causes)
  const end = phase === 'over' ? 'have ended' : 'end'
  return {
    text: `Many connections ${end} unexpectedly: ${count} so far, most by ${cause}, most on ${firstOf(routes)}.`,
    advice: ADVICE[cause] ?? '',
  }
}

const SILENT: Readonly<Record<IdleTimeoutReport['silent'], string>> = {
  both: 'when nobody has sent anything',
  client: 'when the client has sent nothing',
  server: 'when the server has sent nothing',
}

export function wordsOfIdleTimeout({
  age,
  count,
  interval,
  routes,
  silent,
}: IdleTimeoutReport): Words {
  return {
    text: `Connections are cut off ${SILENT[silent]} for ${seconds(age)}: ${count} so far, most on ${firstOf(routes)}.`,
    advice: `Set \`keepalive.interval\` to ${interval}, or let the proxy in between wait for longer.`,
  }
}

export function wordsOfMutePeers({ answered, count, route }: MutePeersReport): Words {
  return {
    text: `Next to no client of ${named(route)} answers pings: ${count} were taken for dead that had never answered one, against ${answered} that did.`,
    advice:
      'Something in between may swallow pings, or the clients do not answer them: let it pass control frames, or set `keepalive.timeout` to false for this route.',
  }
}

export function wordsOfStall({ count, during, longest, total }: Stalls): Words {
  const often =
    count === 1 ? '' : `, ${seconds(total)} in all, ${count} times one soon after the other`
  const text = `The event loop stood still for ${seconds(longest)}${often}: nobody was served.`
  if (during === undefined) {
    return {
      text,
      advice:
        'What has blocked it is not known: it may be an HTTP route, a timer or garbage collection. A profile shows it (`node --cpu-prof`).',
    }
  }
  const { route, step, duration } = during
  return {
    text,
    advice: `\`${cut(step, MOST.group)}\` of ${named(route)} ran for ${seconds(duration)}: let it work in pieces, or in a worker thread.`,
  }
}

function firstOf(routes: Readonly<Record<string, number>>): string {
  const [route = ''] = Object.keys(routes)
  return named(route)
}

function named(route: string): string {
  return cut(route, MOST.route)
}

function seconds(ms: number): string {
  return ms < 1_000 ? `${Math.round(ms)} ms` : `${Number((ms / 1_000).toFixed(1))} s`
}
