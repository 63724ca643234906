import {
  connect as connectByKit,
  type ParsingPeerOptions,
  type Peer,
  type PeerOptions,
  type PeerTarget,
} from '../../../lib/testing/index.js'

/** A guard against hanging: nothing depends on how long it is. Apps wait for 5 s, and ours run on a busy machine. */
const PATIENCE = 30_000

/** The `connect` of the kit, with more patience. */
export async function connect(
  target: PeerTarget,
  path?: string,
  options?: PeerOptions,
): Promise<Peer>
export async function connect<Message>(
  target: PeerTarget,
  path: string | undefined,
  options: ParsingPeerOptions<Message>,
): Promise<Peer<Message>>
export async function connect(
  target: PeerTarget,
  path?: string,
  options: PeerOptions | ParsingPeerOptions<unknown> = {},
): Promise<Peer<unknown>> {
  return connectByKit(target, path, { timeout: PATIENCE, ...options })
}
