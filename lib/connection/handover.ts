import type { Duplex } from 'node:stream'
import type { FastifyRequest } from 'fastify'
import type { DurableHold } from '../cluster/cluster.js'
import type { Slots } from '../core/admission/capacity.js'
import type { ReleaseScope } from '../core/scope.js'
import type { Route } from '../routes/route.js'

/** What a connection takes over from its upgrade request. */
export interface Handover {
  readonly raw: Duplex
  readonly request: FastifyRequest
  readonly route: Route
  readonly scope: ReleaseScope | undefined
  /** `raw.bytesRead` when the handshake had been read, and nothing after it. */
  readonly bytesRead: number
  /** When the credentials end, epoch ms. */
  readonly expiresAt: number
  /** The groups that it is in from the open on. */
  readonly groups: readonly string[]
  /** Its places (see `Slots`). They are given back when the transport is gone. */
  readonly slots: Slots | undefined
  /** The record of its cleanup, on a route that has some. */
  readonly hold: DurableHold | undefined
}
