// `whenFull: 'replace'` where many come to one key at once.
import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { within } from '../support/time/bound.js'
import { turns } from '../support/time/fake-clock.js'
import type { Rival } from '../support/models/rival.js'
import { until } from '../support/time/timed.js'
import { type Replacing, serveReplacing } from '../support/servers/replacing.js'

/** When those who stayed have left, there is room for as many, and no more. */
async function assertRoomAfter(served: Replacing, max: number, stayed: Rival[]): Promise<void> {
  for (const { peer } of stayed) peer.reset()
  await until(() => served.app.websocketLifecycle.connections.size === 0)
  const opened: Rival[] = []
  for (let id = 100; id < 100 + max; id++) {
    opened.push(await served.enter({ headers: { 'x-id': '0' } }))
  }
  assert.ok(opened.every(({ isOpen }) => isOpen))
}

describe('many that come at once to one key', () => {
  for (const max of [1, 2, 3]) {
    for (const refuse of ['http', 'close-frame'] as const) {
      for (const isMute of [false, true]) {
        test(`of 50 the newest ${max} stay, with refuse: '${refuse}'${isMute ? ', nobody answers' : ''}`, async (t) => {
          const order: number[] = []
          const served = await serveReplacing(t, {
            max,
            options: {
              keepalive: false,
              closeTimeout: 100,
              maxConnectionsPerKey: { max, key: () => 'one', whenFull: 'replace' },
            },
            route: { refuse },
            routes: (app) => {
              app.server.prependListener('upgrade', ({ headers }) => {
                order.push(Number(headers['x-id']))
              })
              app.addHook('onRequest', async ({ headers }) => {
                // Hooks take their time, and not all the same.
                await turns((Number(headers['x-id']) * 7) % 11)
              })
            },
          })
          const { app, clock } = served
          const rivals = await Promise.all(
            Array.from({ length: 50 }, async (_, id) =>
              served.dial({ headers: { 'x-id': `${id}` }, isMute }),
            ),
          )
          const stay = (): Rival[] => order.slice(50 - max).map((id) => rivals[id] as Rival)
          for (let i = 0; i < 100; i++) {
            await turns(4)
            if (isMute) await clock.advance(20)
          }
          await until(() => order.length === 50 && stay().every(({ isOpen }) => isOpen))
          await until(() => app.websocketLifecycle.connections.size === max)
          for (const rival of rivals) {
            if (stay().includes(rival)) continue
            await within(rival.peer.ended(), 'the end of one who is not among the newest')
            assert.equal(rival.told.at(-1), '4409 replaced')
          }
          const { opened, refused: count, closed } = app.websocketLifecycle.stats()
          assert.equal(opened + count.key, 50)
          assert.equal(closed.replaced, opened - max)
          await assertRoomAfter(served, max, stay())
        })
      }
    }
  }
})
