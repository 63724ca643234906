// `npm run start:cluster`, and what its page does, by sockets. In a browser it runs in test/browser.
import assert from 'node:assert/strict'
import { after, before, describe, it } from 'node:test'
import { WebSocket } from 'ws'
import { LifecycleClient } from '../../lib/client/index.js'
import { startRedis } from '../support/redis/redis-server.js'
import { lookInto } from '../support/redis/test-node.js'
import { type ClusterDemo, startClusterDemo } from '../support/servers/cluster-demo.js'
import { start } from '../support/servers/program.js'

/** What a node tells. */
interface Told {
  readonly type: 'welcome' | 'back' | 'said' | 'reached' | 'beat' | 'open'
  readonly you: { readonly id: string }
  readonly node: number
  readonly through: number
  readonly text: string
  readonly nodes: number
  readonly unreached: number
  readonly run: string
  readonly n: number
  readonly resumed: boolean
}

/** A tab of the page. */
class Tab {
  readonly client: LifecycleClient
  readonly #told: Told[] = []
  #wake: (() => void) | undefined
  #taken = 0

  constructor(url: URL, visitor: string) {
    const room = new URL(`room?visitor=${visitor}`, url)
    room.protocol = 'ws:'
    this.client = new LifecycleClient(room, {
      resume: true,
      backoff: { min: 50, max: 500 },
      WebSocket: WebSocket as unknown as typeof globalThis.WebSocket,
    })
    this.client.addEventListener('open', ({ resumed }) =>
      this.#note({ type: 'open', resumed } as Told),
    )
    this.client.addEventListener('message', ({ data }) => this.#note(JSON.parse(data as string)))
  }

  /** The next of this type; others before it are skipped. */
  async told(type: Told['type']): Promise<Told> {
    for (;;) {
      while (this.#taken < this.#told.length) {
        const next = this.#told[this.#taken++] as Told
        if (next.type === type) return next
      }
      await new Promise<void>((resolve) => {
        this.#wake = resolve
      })
    }
  }

  /** By node: whether each number that it counted follows the one before. */
  gaps(): number {
    const last = new Map<string, number>()
    let gaps = 0
    for (const { type, run, n } of this.#told) {
      if (type !== 'beat') continue
      gaps += n - 1 - (last.get(run) ?? n - 1)
      last.set(run, n)
    }
    return gaps
  }

  #note(told: Told): void {
    this.#told.push(told)
    this.#wake?.()
  }
}

describe('the demo of several nodes', () => {
  let demo: ClusterDemo
  const stops: Array<() => Promise<void>> = []
  const clients: LifecycleClient[] = []
  before(async () => {
    demo = await startClusterDemo({ after: (stop) => void stops.push(stop) })
  })
  after(async () => {
    for (const client of clients) client.close()
    for (const stop of stops) await stop()
  })

  function open(visitor: string): Tab {
    const tab = new Tab(demo.url, visitor)
    clients.push(tab.client)
    return tab
  }

  it('shows by `find` who is where', async () => {
    const { you, node } = await open('a').told('welcome')
    // Who does not answer in time, on a busy machine, is shown without anybody.
    const board = await demo.boardWith(
      ({ nodes }) =>
        nodes.some(({ here }) => here.some(({ id }) => id === you.id)) &&
        nodes.every(({ here, state }) => here.length > 5 && state === 'up'),
    )
    const home = board.nodes.find(({ here }) => here.some(({ id }) => id === you.id))
    assert.equal(home?.number, node)
  })

  it('brings what one says to all nodes', async () => {
    const [one, other] = [open('b'), open('c')]
    await Promise.all([one.told('welcome'), other.told('welcome')])
    one.client.send('<b>hello</b>')
    assert.equal((await other.told('said')).text, '<b>hello</b>')
    const { nodes, unreached } = await one.told('reached')
    assert.deepEqual([nodes, unreached], [3, 0])
  })

  it('finds a session again through another node, and loses nothing', async () => {
    const tab = open('d')
    const { node, through } = await tab.told('welcome')
    assert.equal(through, node)
    await tab.told('beat')
    let piped = 0
    for (let i = 0; i < 3; i++) {
      assert.deepEqual(await (await demo.post('cut', { visitor: 'd' })).json(), { cut: 1 })
      assert.equal((await tab.told('open')).resumed, true)
      const back = await tab.told('back')
      assert.equal(back.node, node)
      if (back.through !== node) piped++
      for (let beats = 0; beats < 3; beats++) await tab.told('beat')
    }
    assert.ok(piped >= 2, `${piped}`)
    assert.equal(tab.gaps(), 0)
  })

  it('kills a node: a survivor gives its seats back, and its clients begin anew', async () => {
    const tab = open('e')
    const { node, you } = await tab.told('welcome')
    const before = await demo.boardWith(({ nodes }) =>
      nodes.some(({ here }) => here.some(({ id }) => id === you.id)),
    )
    const { id, here } = before.nodes.find(({ number }) => number === node)!
    assert.deepEqual(await (await demo.post('kill', { node })).json(), { killed: true })
    assert.deepEqual(await (await demo.post('kill', { node })).json(), { killed: false })
    assert.equal((await tab.told('open')).resumed, false)
    const anew = await tab.told('welcome')
    assert.notEqual(anew.you.id, you.id)
    assert.notEqual(anew.node, node)

    const released = ({ cleanups }: { cleanups: ReadonlyArray<{ of: number; count: number }> }) =>
      cleanups.filter(({ of }) => of === node).reduce((sum, { count }) => sum + count, 0)
    // Who came or went between the two is not counted.
    await demo.boardWith((board) => released(board) >= here.length - 3)
    const after = await demo.boardWith(({ nodes }) =>
      nodes.every((each) => each.state === 'up' && each.id !== undefined),
    )
    assert.notEqual(after.nodes.find(({ number }) => number === node)?.id, id)
    await demo.boardWith(
      ({ nodes, seats }) => nodes.reduce((sum, { here }) => sum + here.length, 0) === seats,
    )
  })

  it('is no tool of pages of other sites', async () => {
    const asked = { method: 'POST', body: JSON.stringify({ node: 1 }) }
    const response = await fetch(new URL('kill', demo.url), asked) // text/plain, as a form sends it
    assert.equal(response.status, 415)
    for (const body of [{}, { node: 'x' }, { node: 1.5 }]) {
      assert.equal((await demo.post('kill', body)).status, 400)
    }
  })

  it('serves a page that loads nothing else', async () => {
    const paths = new Set(['/'])
    for (const path of paths) {
      const response = await fetch(new URL(path, demo.url))
      assert.equal(response.status, 200, path)
      const policy = response.headers.get('content-security-policy') ?? ''
      assert.match(policy, /^default-src 'none'; script-src 'self'; style-src 'self';/)
      assert.doesNotMatch(policy, /unsafe|\*|http|data:/)
      const body = await response.text()
      if (path === '/') assert.doesNotMatch(body, /<style|<script(?![^>]* src=)| style=| on\w+=/)
      for (const [, name] of body.matchAll(/(?:src=|href=|from )["'](?:\.\/)?([\w.]+\.\w+)["']/g)) {
        paths.add(`/${name}`)
      }
    }
    assert.ok(paths.size > 10, [...paths].join(' '))
  })

  it('ends with all its processes', async () => {
    demo.program.kill('SIGINT')
    const { code, stdout, stderr } = await demo.program.exited
    assert.deepEqual([code, stderr, stdout.at(-1)], [0, '', 'The demo is closed'])
  })
})

describe('the demo without a Redis', () => {
  it('says how to get one', async (t) => {
    const { exited } = start(t, 'examples/cluster/server.ts', { PORT: '0', PATH: '/nowhere' })
    const { code, stderr } = await exited
    assert.equal(code, 1)
    assert.match(stderr, /Expected redis-server on the PATH, or REDIS_URL/)
  })
})

describe('the demo with a Redis of its user', () => {
  it('leaves only what expires by itself', async (t) => {
    const server = await startRedis(t)
    const { program } = await startClusterDemo(t, {
      REDIS_URL: `redis://127.0.0.1:${server.port}`,
    })
    program.kill('SIGTERM')
    assert.equal((await program.exited).code, 0)
    const db = lookInto(t, server)
    const keys = await db.keys('*')
    assert.ok(
      keys.every((key) => /^wsl-demo-[0-9a-f]{8}:\{c\}:(dead|fence)$/.test(key)),
      keys.join(' '),
    )
    for (const key of keys) assert.ok((await db.pttl(key)) > 0, key)
  })
})
