// The examples with a client that comes back: the page and its route, the client in Node, and the bot.
import assert from 'node:assert/strict'
import { describe, it, type TestContext } from 'node:test'
import { createContext, runInContext } from 'node:vm'
import { build } from 'esbuild'
import { WebSocket } from 'ws'
import { freePort } from '../../examples/cluster/free-port.js'
import { CuttableClient } from '../support/peers/cuttable-client.js'
import { start } from '../support/servers/program.js'
import { run, serve } from './run.js'

function enter(t: TestContext, ws: string, user: string): CuttableClient {
  const client = new CuttableClient(`${ws}/chat?user=${user}`)
  t.after(() => client.client.close())
  return client
}

/** What the page's script does to an element, and what it hears of it. */
interface Element {
  textContent: string
  value: string
  readonly lines: string[]
  readonly listeners: Map<string, (event: { preventDefault(): void }) => void>
  addEventListener(type: string, listener: (event: { preventDefault(): void }) => void): void
  append(line: Element): void
}

/** Runs the page, as far as a page can be without a browser. */
async function openPage(http: string, search: string): Promise<Page> {
  const html = await (await fetch(http)).text()
  const [, script = ''] = /<script type="module">([^]*)<\/script>/.exec(html) ?? []
  const client = await fetch(`${http}/client.js`)
  assert.equal(client.headers.get('content-type'), 'text/javascript')
  const served = await client.text()
  assert.doesNotMatch(served, /^import\b/m)
  const { outputFiles } = await build({
    stdin: { contents: script },
    bundle: true,
    write: false,
    plugins: [
      {
        name: 'the server',
        setup(builder) {
          builder.onResolve({ filter: /^\/client\.js$/ }, ({ path }) => ({
            path,
            namespace: 'http',
          }))
          builder.onLoad({ filter: /./, namespace: 'http' }, () => ({ contents: served }))
        },
      },
    ],
  })
  return new Page(outputFiles[0]?.text ?? '', { origin: http, search })
}

class Page {
  readonly elements = new Map<string, Element>()
  #wake: (() => void) | undefined

  constructor(code: string, location: { origin: string; search: string }) {
    const document = {
      querySelector: (name: string) => this.#element(name),
      createElement: () => this.#make(),
    }
    const { AbortController, Event, EventTarget, TextEncoder, URL } = globalThis
    const world = { AbortController, Event, EventTarget, TextEncoder, URL, WebSocket }
    // A page is closed from outside: it tries to come back until then.
    const timers = {
      setTimeout: (run: () => void, ms: number) => setTimeout(run, ms).unref(),
      setInterval: (run: () => void, ms: number) => setInterval(run, ms).unref(),
      clearTimeout,
      clearInterval,
    }
    runInContext(code, createContext({ ...world, ...timers, document, location }))
  }

  press(name: string, type: string): void {
    this.#element(name).listeners.get(type)?.({ preventDefault: () => {} })
  }

  write(text: string): void {
    this.#element('input').value = text
    this.press('form', 'submit')
  }

  /** Resolves when the page shows this, in its status or as the last line. */
  async shows(text: string): Promise<void> {
    const isShown = (): boolean =>
      this.#element('p').textContent === text || this.#element('ul').lines.at(-1) === text
    while (!isShown()) {
      await new Promise<void>((resolve) => {
        this.#wake = resolve
      })
    }
  }

  #element(name: string): Element {
    const known = this.elements.get(name)
    if (known !== undefined) return known
    const made = this.#make()
    this.elements.set(name, made)
    return made
  }

  #make(): Element {
    const wake = (): void => this.#wake?.()
    let text = ''
    const element: Element = {
      get textContent() {
        return text
      },
      set textContent(now: string) {
        text = now
        wake()
      },
      value: '',
      lines: [],
      listeners: new Map(),
      addEventListener: (type, listener) => void element.listeners.set(type, listener),
      append(line) {
        element.lines.push(line.textContent)
        wake()
      },
    }
    return element
  }
}

describe('examples/sessions.ts', () => {
  it('loses nothing of a client whose line is cut, and tells the others', async (t) => {
    const { ws } = await run(t, 'sessions')
    const bob = enter(t, ws, 'bob')
    assert.equal(await bob.next(), 'open')
    const ada = enter(t, ws, 'ada')
    assert.equal(await ada.next(), 'open')
    ada.client.send('one')
    for (const each of [ada, bob]) assert.equal(await each.next(), 'message ada: one')
    ada.cut()
    assert.equal(await ada.next(), 'lost 1006')
    ada.client.send('two')
    bob.client.send('three')
    const heard = [await ada.next()]
    while (heard.length < 5) heard.push(await ada.next())
    assert.equal(heard[0], 'open resumed')
    const lines = heard.slice(1).toSorted()
    assert.deepEqual(lines, [
      'message (ada is away)',
      'message (ada is back)',
      'message ada: two',
      'message bob: three',
    ])
    const seen = [await bob.next(), await bob.next(), await bob.next(), await bob.next()]
    assert.deepEqual(seen.toSorted(), lines)
  })

  it('gives nobody the session of another, and tells who has not signed in', async (t) => {
    const { ws } = await serve(t, 'sessions')
    const stranger = new CuttableClient(`${ws}/chat`)
    assert.equal(await stranger.next(), 'close 3000')
    let user = 'ada'
    const client = new CuttableClient(() => `${ws}/chat?user=${user}`)
    t.after(() => client.client.close())
    assert.equal(await client.next(), 'open')
    user = 'eve'
    client.cut()
    assert.equal(await client.next(), 'lost 1006')
    assert.equal(await client.next(), 'open')
  })

  it('serves a page that shows it all, with the client as it is in the package', async (t) => {
    const { http, ws } = await serve(t, 'sessions')
    const bob = enter(t, ws, 'bob')
    assert.equal(await bob.next(), 'open')
    const page = await openPage(http, '?user=ada')
    await page.shows('Here')
    page.write('hello')
    assert.equal(await bob.next(), 'message ada: hello')
    await page.shows('ada: hello')
    page.press('[type=button]', 'click')
    await page.shows('Back, nothing was lost')
    assert.equal(await bob.next(), 'message (ada is away)')
    assert.equal(await bob.next(), 'message (ada is back)')
    bob.client.send('welcome back')
    await page.shows('bob: welcome back')
    const stranger = await openPage(http, '')
    await stranger.shows('Sign in first')
  })
})

describe('examples/node-client.ts', () => {
  it('asks for a token for each attempt, and comes back to a server that was restarted', async (t) => {
    const port = String(await freePort())
    const server = await run(t, 'protocol-token', { JWT_SECRET: 'of the first', PORT: port })
    const client = start(t, 'examples/node-client.ts', { SERVER: server.http })
    assert.equal(await client.line('connected'), 'connected')
    assert.equal(await client.line('the server says'), 'the server says: hello, ada')
    server.program.kill('SIGKILL')
    await client.line('lost (1006)')
    // No token of the first one is good here.
    await run(t, 'protocol-token', { JWT_SECRET: 'of the second', PORT: port })
    await client.line('here again')
    await client.line('the server says: hello, ada')
    client.kill('SIGINT')
    await client.line('over: 1000')
    assert.deepEqual((await client.exited).code, 0)
  })
})

describe('examples/bot.ts', () => {
  it('answers, until it is told to end', async (t) => {
    const { ws } = await serve(t, 'sessions')
    const bot = start(t, 'examples/bot.ts', { CHAT: `${ws}/chat?user=bot` })
    await bot.line('in the chat')
    const ada = enter(t, ws, 'ada')
    assert.equal(await ada.next(), 'open')
    ada.client.send('bot?')
    assert.equal(await ada.next(), 'message ada: bot?')
    assert.equal(await ada.next(), 'message bot: ada, I am here')
    bot.kill('SIGTERM')
    await bot.line('over: 1000')
    assert.equal((await bot.exited).code, 0)
  })

  it('does not come back where that cannot help, and says so with its exit code', async (t) => {
    const { ws } = await serve(t, 'sessions')
    const bot = start(t, 'examples/bot.ts', { CHAT: `${ws}/chat` })
    await bot.line('over: 3000')
    assert.equal((await bot.exited).code, 1)
  })
})
