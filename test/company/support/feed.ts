// A route of ours whose connections know something of a neighbour: who has signed in, whose token it was, whose store it is.
import assert from 'node:assert/strict'
import type { FastifyInstance, FastifyRequest, RouteShorthandOptions } from 'fastify'
import type { LifecycleSocket, RouteLifecycleOptions } from '../../../lib/index.js'
import type { Link } from '../../../lib/testing/index.js'
import { connect } from '../../support/peers/connect.js'
import { describeFiveStages, type Throwing, type Visitor } from './five-stages.js'
import type { Kept } from './kept.js'

export const FEED = '/feed'

export interface FeedVisitor extends Visitor {
  readonly send: (text: string) => void
}

export interface FeedSetup {
  /** What the neighbour lets this connection know. */
  readonly know: (request: FastifyRequest) => unknown
  readonly options?: Pick<RouteShorthandOptions, 'config' | 'preValidation'> & RouteLifecycleOptions
  /** Called in `onClose`, before the connection is known to have cleaned up. */
  readonly onClose?: (request: FastifyRequest) => Promise<unknown>
}

/** Answers each message with what is known, and keeps it until `onClose` knows the same. */
export function addFeed(
  app: FastifyInstance,
  kept: Kept,
  { know, options = {}, onClose }: FeedSetup,
): void {
  const releases = new Map<LifecycleSocket, { known: unknown; release: () => void }>()
  app.get(
    FEED,
    {
      websocket: true,
      ...options,
      onMessage: (socket, request, message) => {
        if (message === 'throw') throw new Error('thrown by the app')
        socket.send(String(know(request)))
      },
      onClose: async (socket, request) => {
        await onClose?.(request)
        const { known, release } = releases.get(socket) ?? {}
        if (known === know(request)) release?.()
      },
    },
    (socket, request) => {
      releases.set(socket, { known: know(request), release: kept.keep() })
    },
  )
}

/** @param known what the neighbour is to know of it */
export async function visitFeed(
  line: Link,
  known: string,
  headers: Readonly<Record<string, string>>,
): Promise<FeedVisitor> {
  const peer = await connect(line, FEED, { headers })
  return {
    // Not asked for where nobody waits for it: then nobody would hear that it is late.
    get closed() {
      return peer.closed.then(({ code }) => code)
    },
    send: (text) => peer.send(text),
    work: async () => {
      peer.send('who?')
      assert.equal(await peer.next(), known)
    },
  }
}

const THROWS: Readonly<Record<string, Throwing<FeedVisitor>>> = {
  onMessage: {
    provoke: async ({ send }) => send('throw'),
    then: { cause: 'handler-error', code: 1011 },
  },
}

export interface FeedNeighbour extends FeedSetup {
  readonly register: (app: FastifyInstance) => unknown
  /** Adds what it needs beside the feed. */
  readonly routes?: (app: FastifyInstance) => unknown
  /** @param count 0 for the first visitor of a test, 1 for the next */
  readonly visit: (app: FastifyInstance, line: Link, count: number) => Promise<FeedVisitor>
}

/** Leads a neighbour through the five stages, registered before and after ours. */
export function describeFeedStages(
  what: string,
  { register, routes, visit, ...setup }: FeedNeighbour,
): void {
  for (const order of ['before', 'after'] as const) {
    describeFiveStages(`${what}, registered ${order} ours`, () => {
      let served: FastifyInstance | undefined
      let count = 0
      return {
        route: FEED,
        throws: THROWS,
        ...(order === 'before' && { before: register }),
        add: async (app, kept) => {
          if (order === 'after') await register(app)
          await app.register(async (child) => {
            served = child
            await routes?.(child)
            addFeed(child, kept, setup)
          })
        },
        visit: async (_t, line) => {
          assert.ok(served)
          return visit(served, line, count++)
        },
      }
    })
  }
}
