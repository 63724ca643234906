// Clients that behave as those of a server in use, for pictures: many come and go for reasons of many kinds, some are far
// away, some read or handle slowly, and once something in between restarts.
import { setTimeout as delay } from 'node:timers/promises'
import type { FastifyInstance } from 'fastify'
import { WebSocket } from 'ws'
import type { DashboardOptions, DashboardServer } from './dashboard-server.js'

const AGENTS = [
  'Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/142.0.0.0 Safari/537.36',
  'Mozilla/5.0 (iPhone; CPU iPhone OS 26_1 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko) Version/26.1 Mobile/15E148 Safari/604.1',
  'Mozilla/5.0 (X11; Linux x86_64; rv:145.0) Gecko/20100101 Firefox/145.0',
  'okhttp/5.1.0',
  'Python/3.14 websockets/15.0.1',
]

/** How often a route is chosen. */
const PATHS = ['/chat', '/chat', '/chat', '/prices', '/prices', '/prices', '/docs/7', '/devices']

const STARTS = 320

/** So many lose their connection when something in between restarts. */
const LOST = 120

/** How long one client is there, in ms, unless something else happens to it. */
const STAY = 90_000

export const LIFE: DashboardOptions = {
  fastify: { trustProxy: true },
  plugin: {
    keepalive: { interval: 4_000, timeout: 4_000 },
    allowedOrigins: ['https://app.example'],
    history: true,
  },
  authorize: () => 'ada',
  routes(app) {
    for (const path of ['/prices', '/docs/:id', '/devices']) addRoute(app, path)
  },
}

function addRoute(app: FastifyInstance, path: string): void {
  const all = app.websocketLifecycle.group(path.slice(1))
  app.get(
    path,
    {
      websocket: true,
      ...(path === '/devices' && { idleTimeout: 20_000 }),
      async onMessage(_socket, _request, message) {
        const text = String(message)
        if (text === 'no JSON') JSON.parse(text)
        await delay(text === 'slow' ? 250 : 1)
      },
    },
    (socket) => all.add(socket),
  )
}

/** One chance in so many. */
function chance(of: number): boolean {
  return Math.random() * of < 1
}

function oneOf<Item>(items: readonly Item[]): Item {
  return items[Math.floor(Math.random() * items.length)] as Item
}

export class Life {
  readonly #server: DashboardServer
  readonly #clients = new Set<WebSocket>()
  #isOver = false

  constructor(server: DashboardServer) {
    this.#server = server
  }

  async begin(): Promise<void> {
    for (let i = 0; i < STARTS; i++) await this.#come()
  }

  /** One step of a second. @param restarts whether something in between restarts, and takes many with it */
  async step(second: number, restarts: boolean): Promise<void> {
    const wave = 1 + 0.5 * Math.sin(second / 35)
    const comers = Math.round((STARTS / (STAY / 1_000)) * wave * (0.5 + Math.random()))
    await Promise.all(Array.from({ length: comers }, () => this.#come()))
    for (const ws of this.#clients) if (chance(6)) this.#act(ws)
    if (chance(4)) await this.#refused()
    if (chance(25)) block(30 + Math.random() * 70)
    if (restarts) {
      const lost = [...this.#clients].slice(0, LOST)
      for (const ws of lost) ws.terminate()
      for (const _ of lost) void delay(Math.random() * 9_000).then(() => this.#come())
    }
  }

  end(): void {
    this.#isOver = true
    for (const ws of this.#clients) ws.terminate()
  }

  async #come(): Promise<void> {
    if (this.#isOver) return
    const far = 8 + Math.random() ** 6 * 160
    const ws = new WebSocket(`${this.#server.origin.replace('http', 'ws')}${oneOf(PATHS)}`, {
      autoPong: false,
      headers: {
        'user-agent': oneOf(AGENTS),
        origin: 'https://app.example',
        'x-forwarded-for': `203.0.113.${1 + Math.floor(Math.random() * 254)}`,
      },
    })
    ws.on('error', () => {})
    const isMute = chance(25)
    ws.on('ping', (data) => {
      if (!isMute) setTimeout(() => ws.pong(data, undefined, () => {}), far * (0.8 + Math.random()))
    })
    ws.on('close', () => this.#clients.delete(ws))
    // The server may go away meanwhile.
    await new Promise((resolve) => ws.on('open', resolve).on('close', resolve))
    if (ws.readyState !== ws.OPEN) return
    this.#clients.add(ws)
    if (!isMute) setTimeout(() => this.#leave(ws), -Math.log(Math.random()) * STAY).unref()
  }

  #leave(ws: WebSocket): void {
    if (chance(7)) ws.terminate()
    else if (chance(12)) ws.close(4001, 'signed out elsewhere')
    else ws.close(chance(3) ? 1000 : 1001, chance(2) ? '' : 'going away')
  }

  #act(ws: WebSocket): void {
    if (ws.readyState !== ws.OPEN || ws.url.includes('/devices')) return
    if (chance(400)) ws.send('no JSON')
    else if (chance(120)) for (let i = 0; i < 12; i++) ws.send('slow')
    else ws.send('hello')
  }

  async #refused(): Promise<void> {
    const origin = chance(2) ? 'https://elsewhere.example' : 'https://app.example'
    const path = chance(3) ? '/nowhere' : '/chat'
    const ws = new WebSocket(`${this.#server.origin.replace('http', 'ws')}${path}`, {
      headers: { origin },
    })
    ws.on('error', () => {})
    ws.on('open', () => ws.close(1000))
    await new Promise((resolve) => ws.on('close', resolve))
  }
}

function block(time: number): void {
  const until = performance.now() + time
  while (performance.now() < until) {
    // It stands still.
  }
}
