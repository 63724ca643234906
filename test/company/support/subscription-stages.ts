// A library that has subscriptions, as a neighbour that goes through the five stages.
import assert from 'node:assert/strict'
import type { Link } from '../../../lib/testing/index.js'
import { describeFiveStages, type Neighbour, type Throwing, type Visitor } from './five-stages.js'
import { Source } from './source.js'
import { assertGives, type Library, type Subscriber } from './subscriptions.js'

export interface Subscribed extends Visitor {
  readonly subscriber: Subscriber
}

export const portOfLine = ({ url }: Link): number => Number(new URL(url).port)

function neighbourOf(
  { add, subscribe, route }: Library,
  throws: Readonly<Record<string, Throwing<Subscribed>>>,
): Neighbour<Subscribed> {
  /** One for each visitor, in their order. */
  const sources: Source[] = []
  return {
    route,
    throws: {
      'a resolver': {
        provoke: async ({ subscriber }) => assert.rejects(subscriber.fail(), /thrown by the app/),
        then: 'goes on',
      },
      ...throws,
    },
    add: async (app, kept) =>
      add(app, () => {
        const source = new Source()
        sources.push(source)
        void source.returned.then(kept.keep())
        return source
      }),
    visit: async (t, line) => {
      const subscriber = await subscribe(t, portOfLine(line))
      const source = sources.at(-1)
      return {
        subscriber,
        closed: subscriber.closed,
        work: async () => {
          await assertGives(source, subscriber)
          assert.equal(await subscriber.add(), 5)
        },
      }
    },
  }
}

/** @param throws what throws beside a resolver */
export function describeSubscriptionStages(
  what: string,
  library: Library,
  throws: Readonly<Record<string, Throwing<Subscribed>>> = {},
): void {
  describeFiveStages(what, () => neighbourOf(library, throws))
}
