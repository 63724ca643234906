// The client of examples/browser-client.ts, in a world that has what it needs of a page and nothing of Node, against
// a real server.
import assert from 'node:assert/strict'
import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { describe, it, type TestContext } from 'node:test'
import { createContext, runInContext } from 'node:vm'
import { transform } from 'esbuild'
import Fastify, { type FastifyInstance } from 'fastify'
import websocketLifecycle, { isRetryable } from 'fastify-websocket-lifecycle'
import { WebSocket } from 'ws'
import { type connect, type Connection, RETRYABLE } from '../../examples/browser-client.js'
import { freePort } from '../../examples/cluster/free-port.js'
import { root } from '../support/servers/tarball.js'

/** A page: its clock and its dice are those of the test, and its waits pass when the test says so. */
class Page {
  /** All that has happened: `message …`, `wait …` with its ms, `over …`. */
  readonly events: string[] = []
  readonly sockets: WebSocket[] = []
  readonly waits = new Map<number, () => void>()
  /** What `performance.now()` and `Math.random()` say. */
  now = 0
  chance = 0
  readonly #script: { readonly connect: typeof connect }
  #timers = 0
  #taken = 0
  #wake: (() => void) | undefined

  private constructor(code: string) {
    const { sockets } = this
    class PageSocket extends WebSocket {
      constructor(url: string) {
        super(url)
        sockets.push(this)
        // In a page nothing is thrown for an error that nobody listens for.
        this.on('error', () => {})
      }
    }
    const world = createContext({
      WebSocket: PageSocket,
      Math: { min: Math.min, random: () => this.chance },
      performance: { now: () => this.now },
      setTimeout: (run: () => void, ms: number) => {
        this.waits.set(++this.#timers, run)
        this.#note(`wait ${ms}`)
        return this.#timers
      },
      clearTimeout: (timer: number) => this.waits.delete(timer),
    })
    this.#script = runInContext(`${code}; script`, world) as { connect: typeof connect }
  }

  static async open(): Promise<Page> {
    const source = await readFile(join(root, 'examples/browser-client.ts'), 'utf8')
    const { code } = await transform(source, { loader: 'ts', format: 'iife', globalName: 'script' })
    return new Page(code)
  }

  connect(url: string): Connection {
    return this.#script.connect(
      url,
      (message) => this.#note(`message ${message}`),
      (code, reason) => this.#note(`over ${code} ${reason}`.trimEnd()),
    )
  }

  /** The next event that was not taken yet. */
  async next(): Promise<string> {
    while (this.events.length <= this.#taken) {
      await new Promise<void>((resolve) => {
        this.#wake = resolve
      })
    }
    return this.events[this.#taken++] as string
  }

  pass(): void {
    const waits = [...this.waits.values()]
    this.waits.clear()
    for (const run of waits) run()
  }

  #note(event: string): void {
    this.events.push(event)
    this.#wake?.()
  }
}

interface Server {
  readonly app: FastifyInstance
  readonly url: string
  /** The code that upgrades are refused with; 0: none. */
  refusal: number
  /** Closes all connections. */
  close(code: number, reason?: string): void
}

async function serve(t: TestContext, port = 0): Promise<Server> {
  const app = Fastify()
  t.after(() => app.close())
  await app.register(websocketLifecycle)
  app.get(
    '/',
    {
      websocket: true,
      preValidation: async (_request, reply) =>
        server.refusal === 0 ? undefined : reply.refuseWebsocket(server.refusal, 'no'),
      onMessage: (socket, _request, message) => socket.send(message),
    },
    (socket) => socket.send('hello'),
  )
  const url = await app.listen({ port, host: '127.0.0.1' })
  const server: Server = {
    app,
    url: url.replace('http', 'ws'),
    refusal: 0,
    close(code, reason) {
      for (const socket of app.websocketLifecycle.connections) socket.close(code, reason)
    },
  }
  return server
}

describe('examples/browser-client.ts', () => {
  it('comes back after the codes that isRetryable says yes to, and no others', () => {
    const codes = Array.from({ length: 4_000 }, (_, i) => 1_000 + i)
    assert.deepEqual(
      codes.filter((code) => RETRYABLE.has(code)),
      codes.filter((code) => isRetryable(code)),
    )
  })

  it('comes back to a server that has been started anew', async (t) => {
    const page = await Page.open()
    const port = await freePort()
    const first = await serve(t, port)
    const connection = page.connect(first.url)
    assert.equal(await page.next(), 'message hello')
    await first.app.close()
    assert.equal(await page.next(), 'wait 500')
    page.pass()
    assert.equal(await page.next(), 'wait 1000') // nobody listened
    const second = await serve(t, port)
    page.pass()
    assert.equal(await page.next(), 'message hello')
    assert.equal(connection.send('here again'), true)
    assert.equal(await page.next(), 'message here again')
    second.close(1012)
    assert.equal(await page.next(), 'wait 2000')
  })

  it('comes back no more after other codes, and tells why', async (t) => {
    const server = await serve(t)
    for (const code of [1000, 1008, 3000, 4409, 4429]) {
      const page = await Page.open()
      const connection = page.connect(server.url)
      assert.equal(await page.next(), 'message hello')
      server.close(code, 'reason')
      assert.equal(await page.next(), `over ${code} reason`)
      assert.deepEqual([page.waits.size, page.sockets.length], [0, 1])
      assert.equal(connection.send('too late'), false)
    }
    server.refusal = 3000
    const page = await Page.open()
    page.connect(server.url)
    assert.equal(await page.next(), 'over 3000 no')
    assert.equal(page.waits.size, 0)
  })

  it('waits longer each time, also for a server that opens before it refuses', async (t) => {
    const server = await serve(t)
    server.refusal = 1013
    for (const [chance, waits] of [
      [0, [500, 1_000, 2_000, 4_000, 8_000, 15_000, 15_000]],
      [0.5, [750, 1_500, 3_000, 6_000, 12_000, 22_500, 22_500]],
      [1, [1_000, 2_000, 4_000, 8_000, 16_000, 30_000, 30_000]],
    ] as const) {
      const page = await Page.open()
      page.chance = chance
      page.connect(server.url)
      for (const wait of waits) {
        assert.equal(await page.next(), `wait ${wait}`)
        page.now += wait
        page.pass()
      }
    }
  })

  it('begins anew with short waits after ten seconds that were good', async (t) => {
    const server = await serve(t)
    const page = await Page.open()
    page.connect(server.url)
    for (const [open, wait] of [
      [0, 500],
      [9_999, 1_000],
      [10_000, 500],
      [0, 1_000],
    ] as const) {
      assert.equal(await page.next(), 'message hello')
      page.now += open
      server.close(1012)
      assert.equal(await page.next(), `wait ${wait}`)
      page.now += 60_000
      page.pass()
    }
  })

  it('sends nothing while it is away', async (t) => {
    const server = await serve(t)
    const page = await Page.open()
    const connection = page.connect(server.url)
    assert.equal(connection.send('too early'), false)
    assert.equal(await page.next(), 'message hello')
    assert.equal(connection.send('one'), true)
    assert.equal(await page.next(), 'message one')
    server.close(1012)
    assert.equal(await page.next(), 'wait 500')
    assert.equal(connection.send('away'), false)
    page.pass()
    assert.equal(connection.send('not yet'), false)
    assert.equal(await page.next(), 'message hello')
    assert.equal(connection.send('two'), true)
    assert.equal(await page.next(), 'message two')
  })

  it('is gone after close(): no message, no wait, no attempt', async (t) => {
    const server = await serve(t)
    for (const when of ['connecting', 'open', 'away']) {
      const page = await Page.open()
      const connection = page.connect(server.url)
      const socket = page.sockets[0] as WebSocket
      // Not once(): closed while it connects, ws emits an error first.
      const ended = new Promise((resolve) => socket.once('close', resolve))
      if (when !== 'connecting') assert.equal(await page.next(), 'message hello')
      if (when === 'away') {
        server.close(1012)
        assert.equal(await page.next(), 'wait 500')
      }
      const before = page.events.length
      for (const each of server.app.websocketLifecycle.connections) each.send('on its way')
      connection.close()
      await ended
      assert.equal(connection.send('too late'), false)
      assert.equal(page.events.length, before, when)
      assert.deepEqual([page.waits.size, page.sockets.length], [0, 1], when)
    }
  })
})
