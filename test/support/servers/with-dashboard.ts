import type { TestContext } from 'node:test'
import type { FastifyInstance } from 'fastify'
import { websocketDashboard, type WebsocketDashboardOptions } from '../../../lib/dashboard/index.js'
import type { Hello, Row, ToPage, ToServer, Update } from '../../../lib/dashboard/protocol.js'
import type { Peer } from '../../../lib/testing/index.js'
import { connect } from '../peers/connect.js'
import { answered } from '../peers/heard.js'
import { FakeClock, turns } from '../time/fake-clock.js'
import { portOf, serve, type Setup } from './server.js'

/** A server with an echo at `/`, and the page for operators at `/admin/`. */
export interface WithDashboard {
  readonly app: FastifyInstance
  readonly clock: FakeClock
  readonly port: number
  /** Of the echo. */
  readonly url: string
  /** Somebody who is let in. */
  readonly look: () => Promise<Onlooker>
}

export interface DashboardSetup extends Setup {
  readonly authorize?: WebsocketDashboardOptions['authorize']
}

/** Lets in whoever has this cookie. */
export const OPERATOR = { cookie: 'operator=yes' } as const

export async function serveDashboard(
  t: TestContext,
  setup: DashboardSetup = {},
): Promise<WithDashboard> {
  const clock = new FakeClock()
  const authorize: WebsocketDashboardOptions['authorize'] =
    setup.authorize ?? (({ headers }) => headers.cookie === OPERATOR.cookie && 'somebody')
  const app = await serve(t, {
    clock,
    ...setup,
    options: { keepalive: false, ...setup.options },
    routes: (instance) => {
      instance.get(
        '/',
        { websocket: true, onMessage: (socket, _request, message) => void socket.send(message) },
        () => {},
      )
      void instance.register(websocketDashboard, { prefix: '/admin', authorize })
      setup.routes?.(instance)
    },
  })
  const port = portOf(app)
  const look = async (): Promise<Onlooker> => Onlooker.come(port, clock)
  return { app, clock, port, url: `ws://127.0.0.1:${port}/`, look }
}

/** A page without a page: it keeps what it is told. */
export class Onlooker {
  readonly client: Peer<ToPage>
  /** All that it was told. */
  readonly told: ToPage[] = []
  readonly #clock: FakeClock

  private constructor(client: Peer<ToPage>, clock: FakeClock) {
    this.client = client
    this.#clock = clock
  }

  static async come(port: number, clock: FakeClock): Promise<Onlooker> {
    const options = { headers: OPERATOR, parse: JSON.parse, timeout: Infinity }
    const url = `ws://127.0.0.1:${port}`
    const onlooker = new Onlooker(await connect<ToPage>(url, '/admin/live', options), clock)
    void onlooker.#listen()
    return onlooker
  }

  get hellos(): Hello[] {
    return this.told.filter((each) => each.type === 'hello')
  }

  get updates(): Update[] {
    return this.told.filter((each) => each.type === 'update')
  }

  /** What one part of the updates was, each time that it was told. */
  each<Part extends keyof Update>(part: Part): Array<NonNullable<Update[Part]>> {
    return this.updates.map((each) => each[part]).filter((each) => each !== undefined)
  }

  /** The table, as a page would have it since the last hello. */
  get rows(): Map<string, Row> {
    const rows = new Map<string, Row>()
    for (const message of this.told) {
      if (message.type === 'hello') rows.clear()
      if (message.type !== 'update') continue
      for (const row of message.rows ?? []) rows.set(row[0], row)
      for (const [id, now] of message.changed ?? []) {
        const [, route, address, agent, openedAt] = rows.get(id) ?? []
        if (route !== undefined) rows.set(id, [id, route, address, agent, openedAt, now] as Row)
      }
      for (const id of message.gone ?? []) rows.delete(id)
    }
    return rows
  }

  /** Those of one route. */
  rowsOf(route: string): Row[] {
    return [...this.rows.values()].filter((row) => row[1] === route)
  }

  /** Moves the clock by one look of the server, and gives what that has told. */
  async tick(count = 1): Promise<ToPage[]> {
    const before = this.told.length
    await this.#clock.advance(250 * count)
    return this.told.slice(before)
  }

  async order(order: ToServer): Promise<void> {
    this.client.send(JSON.stringify(order))
    await answered(this.client)
    await turns(1)
  }

  async #listen(): Promise<void> {
    for await (const message of this.client) this.told.push(message)
  }
}
