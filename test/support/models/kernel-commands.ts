// What may happen to the connections of a server.
import * as fc from 'fast-check'
import { commandMaker } from './command.js'

/** What a callback does. One that hangs settles when all is over, and fails then. */
export const BEHAVIOURS = [
  'turn',
  'throw',
  'reject',
  'hang',
  'close',
  'terminate',
  'send',
  'defer',
] as const
export type Behaviour = (typeof BEHAVIOURS)[number]

/** The callbacks that run once for a connection. */
export const PLACES = [
  'handler',
  'onShutdown',
  'onUnexpectedClose',
  'onClose',
  'first release',
  'last release',
  'onHandlerError',
] as const
export type Place = (typeof PLACES)[number]

export interface Fault {
  readonly at: Place
  readonly does: Behaviour
}

/** What the app does with a message. */
export type Handling = 'nothing' | 'turn' | 'throw' | 'reject' | 'hang' | 'close' | 'terminate'

/** What a peer sends that is no protocol. */
export const GARBAGE = {
  opcode: 'protocol-error',
  unmasked: 'protocol-error',
  text: 'protocol-error',
  fragment: 'protocol-error',
  'control frame': 'protocol-error',
  'close code': 'protocol-error',
  'too big': 'message-too-big',
} as const
export type Garbage = keyof typeof GARBAGE

export const ROUTES = [
  'plain',
  'ordered',
  'few',
  'key',
  'newest',
  'limits',
  'quiet',
  'drop',
  'full',
  'rate',
  'lenient',
] as const
export type RouteName = (typeof ROUTES)[number]

interface AtOne {
  /** One of those that are meant. */
  readonly which: number
}

/** What somebody's peer does. */
export type PeerCommand =
  | (AtOne & {
      readonly does: 'say'
      readonly count: number
      readonly bytes: number
      readonly handling: Handling
    })
  | (AtOne & { readonly does: 'ping' | 'half' | 'drop' | 'reset' })
  | (AtOne & { readonly does: 'freeze' | 'thaw' | 'deafen' | 'hear' })
  | (AtOne & { readonly does: 'close'; readonly code: number })
  | (AtOne & { readonly does: 'garbage'; readonly garbage: Garbage })

/** What the app does to somebody. */
export type AppCommand =
  | (AtOne & { readonly does: 'pass' })
  /** A message that is being handled is handled. */
  | (AtOne & { readonly does: 'go on' })
  | (AtOne & {
      readonly does: 'send'
      readonly count: number
      readonly bytes: number
      readonly callback: 'nothing' | 'throw' | 'reject'
    })
  | (AtOne & { readonly does: 'be pinged' | 'terminate' | 'pause' | 'resume' | 'defer' })
  | (AtOne & { readonly does: 'be closed'; readonly code: number })
  | (AtOne & { readonly does: 'expire'; readonly after: number })
  | (AtOne & { readonly does: 'join' | 'leave'; readonly group: string })

export type Command =
  | {
      readonly does: 'dial'
      readonly route: RouteName
      readonly count: number
      /** `slow`: it stands in a hook until it is let pass. The last three are refused there. */
      readonly hook: 'pass' | 'slow' | 'throw' | 'answer' | 'refuse'
      readonly key: string
      readonly faults: readonly Fault[]
    }
  | PeerCommand
  | AppCommand
  | { readonly does: 'tell'; readonly group: string; readonly bytes: number }
  | { readonly does: 'dissolve'; readonly group: string }
  | { readonly does: 'advance' | 'stall'; readonly by: number }
  | { readonly does: 'drain'; readonly timeout: number }

const BY_PEER: ReadonlySet<Command['does']> = new Set<PeerCommand['does']>([
  'say',
  'ping',
  'half',
  'drop',
  'reset',
  'freeze',
  'thaw',
  'deafen',
  'hear',
  'close',
  'garbage',
])

export function isByPeer(command: Command): command is PeerCommand {
  return BY_PEER.has(command.does)
}

export interface Schedule {
  /** Numbers of the plugin's clock. */
  readonly seed: number
  /** How it ends: by the drain, by one that has less time than a close, or all connections one by one, to see that all places are free then. */
  readonly ends: 'drain' | 'short drain' | 'one by one'
  /** What happens in one step happens at once. */
  readonly steps: ReadonlyArray<readonly Command[]>
}

/** In ms: less than a close may take. */
export const SHORT_DRAIN = 6_000

const command = commandMaker<Command>()
const which = fc.nat(30)
const group = fc.constantFrom('a', 'b')
const count = fc.integer({ min: 1, max: 4 })
const code = fc.constantFrom(1000, 1000, 1001, 4000, 4001, 1005)
const fault: fc.Arbitrary<Fault> = fc.record(
  { at: fc.constantFrom(...PLACES), does: fc.constantFrom(...BEHAVIOURS) },
  { noNullPrototype: true },
)

const commands: fc.Arbitrary<Command> = fc.oneof(
  command(24, 'dial', {
    route: fc.constantFrom(...ROUTES),
    count: fc.integer({ min: 1, max: 5 }),
    hook: fc.constantFrom(
      'pass',
      'pass',
      'pass',
      'pass',
      'slow',
      'slow',
      'throw',
      'answer',
      'refuse',
    ),
    key: fc.constantFrom('ann', 'bob'),
    faults: fc.array(fault, { maxLength: 3 }),
  }),
  command(8, 'pass', { which }),
  command(18, 'say', {
    which,
    count: fc.integer({ min: 1, max: 8 }),
    // Four of the large ones fill what node reads in advance.
    bytes: fc.constantFrom(10, 10, 10, 40_000),
    handling: fc.constantFrom(
      'nothing',
      'nothing',
      'nothing',
      'turn',
      'hang',
      'hang',
      'throw',
      'reject',
      'close',
      'terminate',
    ),
  }),
  command(8, 'go on', { which }),
  command(16, 'send', {
    which,
    count,
    bytes: fc.constantFrom(10, 10, 2_000, 30_000, 3_000_000),
    callback: fc.constantFrom('nothing', 'nothing', 'nothing', 'nothing', 'throw', 'reject'),
  }),
  command(3, 'ping', { which }),
  command(2, 'be pinged', { which }),
  command(6, 'close', { which, code }),
  command(6, 'be closed', { which, code }),
  command(2, 'terminate', { which }),
  command(6, 'drop', { which }),
  command(6, 'reset', { which }),
  command(12, 'freeze', { which }),
  command(3, 'thaw', { which }),
  command(9, 'deafen', { which }),
  command(2, 'hear', { which }),
  command(4, 'garbage', {
    which,
    garbage: fc.constantFrom(...(Object.keys(GARBAGE) as Garbage[])),
  }),
  command(3, 'half', { which }),
  command(3, 'pause', { which }),
  command(3, 'resume', { which }),
  command(3, 'defer', { which }),
  command(3, 'expire', { which, after: fc.constantFrom(0, 1_500, 20_000) }),
  command(6, 'join', { which, group }),
  command(2, 'leave', { which, group }),
  command(6, 'tell', { group, bytes: fc.constantFrom(10, 30_000) }),
  command(1, 'dissolve', { group }),
  command(20, 'advance', { by: fc.constantFrom(200, 1_000, 3_000, 3_000, 11_000, 36_000) }),
  command(3, 'stall', { by: fc.constantFrom(500, 4_000, 30_000) }),
  command(1, 'drain', { timeout: fc.constantFrom(SHORT_DRAIN, 16_000, 40_000) }),
)

/** Several things at once, to any of them; or to one, as far as they may happen to it. */
const atOnce = fc.array(commands, { minLength: 2, maxLength: 4 })
const toOne = fc
  .tuple(which, atOnce)
  .map(([which, all]) => all.map((one) => ('which' in one ? { ...one, which } : one)))

/** The app does not read somebody for long, and node has read in advance all that it can. */
const unread: fc.Arbitrary<Command[]> = which.map((which) => [
  { does: 'pause', which },
  { does: 'say', which, count: 4, bytes: 40_000, handling: 'nothing' },
  { does: 'advance', by: 36_000 },
])

export const schedules: fc.Arbitrary<Schedule> = fc.record(
  {
    seed: fc.nat(),
    ends: fc.constantFrom('drain', 'short drain', 'one by one'),
    steps: fc.array(
      fc.oneof(
        { weight: 16, arbitrary: commands.map((one) => [one]) },
        { weight: 4, arbitrary: atOnce },
        { weight: 8, arbitrary: toOne },
        { weight: 1, arbitrary: unread },
      ),
      { maxLength: 50, size: 'max' },
    ),
  },
  { noNullPrototype: true },
)
