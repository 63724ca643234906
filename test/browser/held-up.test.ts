// A session of a page in a real browser that is held up, while its line carries nothing and the server gives it up.
import assert from 'node:assert/strict'
import { readFile } from 'node:fs/promises'
import { after, test, type TestContext } from 'node:test'
import Fastify from 'fastify'
import websocketLifecycle, { type LifecycleSession } from 'fastify-websocket-lifecycle'
import type { Page } from 'playwright-core'
import type { LifecycleClient } from '../../lib/client/index.js'
import { ChaosProxy } from '../support/peers/chaos-proxy.js'
import { portOf } from '../support/servers/app.js'
import { root } from '../support/servers/tarball.js'
import { type Gate, gate } from '../support/time/gate.js'
import { browser, closeBrowser } from './support/browser.js'

/** What the page keeps for the test. */
interface Kept {
  readonly client: LifecycleClient
  readonly got: string[]
  readonly opened: boolean[]
}

const PAGE = `<!doctype html><script type="module">
  import { LifecycleClient } from '/client.js'
  const client = new LifecycleClient('ws://' + location.host + '/ws', {
    resume: true,
    backoff: { min: 1, max: 100 },
    liveness: { interval: 500, timeout: 500 },
  })
  const [got, opened] = [[], []]
  client.addEventListener('message', ({ data }) => got.push(data))
  client.addEventListener('open', ({ resumed }) => opened.push(resumed))
  globalThis.kept = { client, got, opened }
</script>`

/** How long a page blocks its own thread, in ms: much longer than the server waits for a pong. */
const BUSY = 2_000

/** Holds a page up. @returns lets it go on */
const WAYS: Readonly<Record<string, (page: Page) => Promise<() => Promise<unknown>>>> = {
  async 'blocks its own thread'(page) {
    // From now on no answer of the page comes before the block is over.
    const block = page.evaluate((time) => {
      const { client } = (globalThis as unknown as { kept: Kept }).kept
      const until = performance.now() + time
      client.send('page 3')
      while (performance.now() < until) {
        // It does nothing else.
      }
    }, BUSY)
    return () => block
  },
  async 'is hidden and frozen'(page) {
    await say(page, 3, 3)
    const devtools = await page.context().newCDPSession(page)
    await devtools.send('Page.setWebLifecycleState', { state: 'frozen' })
    return () => devtools.send('Page.setWebLifecycleState', { state: 'active' })
  },
  async 'has a process that is stopped'(page) {
    await say(page, 3, 3)
    const devtools = await (await browser()).newBrowserCDPSession()
    const { processInfo } = await devtools.send('SystemInfo.getProcessInfo')
    // There is no other page in this browser. Its spare process may be stopped, too.
    const pids = processInfo.filter(({ type }) => type === 'renderer').map(({ id }) => id)
    assert.ok(pids.length > 0)
    for (const pid of pids) process.kill(pid, 'SIGSTOP')
    return async () => {
      for (const pid of pids) process.kill(pid, 'SIGCONT')
    }
  },
}

/** The page sends these numbers. */
async function say(page: Page, from: number, to: number): Promise<void> {
  await page.evaluate(
    ([first, last]) => {
      const { client } = (globalThis as unknown as { kept: Kept }).kept
      for (let number = first; number <= last; number++) client.send(`page ${number}`)
    },
    [from, to] as const,
  )
}

interface Site {
  readonly proxy: ChaosProxy
  readonly got: string[]
  readonly causes: string[]
  readonly session: () => LifecycleSession
  readonly suspended: Gate
  readonly resumed: Gate
}

async function serveSite(t: TestContext): Promise<Site> {
  const script = await readFile(`${root}/dist/client.js`, 'utf8')
  const [got, causes, sessions]: [string[], string[], LifecycleSession[]] = [[], [], []]
  const [suspended, resumed] = [gate(), gate()]
  const app = Fastify({ forceCloseConnections: true })
  t.after(() => app.close())
  await app.register(websocketLifecycle, { keepalive: { interval: 200, timeout: 2_000 } })
  app.get('/', async (_request, reply) => reply.type('text/html').send(PAGE))
  app.get('/client.js', async (_request, reply) => reply.type('text/javascript').send(script))
  app.get(
    '/ws',
    {
      websocket: true,
      resume: { key: () => null },
      onMessage: (_session, _request, message) => void got.push(message.toString()),
      onSuspend: (_session, _request, { cause }) => {
        causes.push(cause)
        suspended.open()
      },
      onResume: () => resumed.open(),
      onClose: (_session, _request, { cause }) => void causes.push(`close ${cause}`),
    },
    (session) => void sessions.push(session),
  )
  await app.listen({ host: '127.0.0.1', port: 0 })
  const session = (): LifecycleSession => {
    const [only, ...others] = sessions
    assert.ok(only !== undefined && others.length === 0, `${sessions.length} sessions`)
    return only
  }
  return { proxy: await ChaosProxy.to(t, portOf(app)), got, causes, session, suspended, resumed }
}

after(closeBrowser)

for (const [how, holdUp] of Object.entries(WAYS)) {
  test(`a session outlives a line that dies while its page ${how}: all arrives once and in order`, async (t) => {
    const { proxy, got, causes, session, suspended, resumed } = await serveSite(t)
    const page = await (await browser()).newPage()
    t.after(() => page.close())
    await page.goto(`http://127.0.0.1:${proxy.port}/`)
    await page.waitForFunction(
      () => (globalThis as unknown as { kept?: Kept }).kept?.opened.length === 1,
    )
    const send = (from: number, to: number): void => {
      for (let number = from; number <= to; number++) session().send(`server ${number}`)
    }
    send(0, 2)
    await say(page, 0, 2)
    // It is confirmed by then, and will be suspended.
    while (!got.includes('page 2')) await new Promise((resolve) => setImmediate(resolve))
    const goOn = await holdUp(page)
    try {
      send(3, 5)
      for (const line of proxy.lines) line.suffer('swallow')
      send(6, 8)
      await suspended.opened
      send(9, 11)
    } finally {
      await goOn()
    }
    await resumed.opened
    send(12, 14)
    await say(page, 4, 6)
    await page.waitForFunction(() =>
      (globalThis as unknown as { kept: Kept }).kept.got.includes('server 14'),
    )
    while (!got.includes('page 6')) await new Promise((resolve) => setImmediate(resolve))
    const { opened, got: gotByPage } = await page.evaluate(() => {
      const { opened, got } = (globalThis as unknown as { kept: Kept }).kept
      return { opened, got }
    })
    assert.deepEqual(
      gotByPage,
      Array.from({ length: 15 }, (_, number) => `server ${number}`),
    )
    assert.deepEqual(
      got,
      Array.from({ length: 7 }, (_, number) => `page ${number}`),
    )
    assert.equal(opened[0], false)
    assert.ok(opened.length > 1 && opened.slice(1).every((isResumed) => isResumed))
    assert.equal(causes[0], 'heartbeat-timeout')
    assert.ok(causes.every((cause) => !cause.startsWith('close')))
  })
}
