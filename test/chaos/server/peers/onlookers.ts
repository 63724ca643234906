// Who looks at the server beside its peers: with a library, a page, and plain requests.
import { get } from 'node:http'
import { text } from 'node:stream/consumers'
import { WebSocket } from 'ws'
import { randomFrom } from '../../../support/models/random.js'
import { anything } from './healthy.js'
import { LONG } from './wild.js'
import type { World } from './world.js'

/** The page is told something four times a second, if anything happens. In ms. */
const QUIET = 15_000

interface Closed {
  readonly code: number
  readonly reason: string
}

async function closeOf(ws: WebSocket): Promise<Closed> {
  return new Promise((resolve) => {
    ws.once('close', (code, reason) => resolve({ code, reason: reason.toString() }))
  })
}

async function openOf(ws: WebSocket, closed: Promise<Closed>): Promise<void> {
  await Promise.race([new Promise((resolve) => ws.once('open', resolve)), closed])
}

/** A client of ws, with compression: it echoes. */
export async function runWs(world: World, seed: number, name: string): Promise<void> {
  const random = randomFrom(seed)
  while (world.isOn) {
    const ws = new WebSocket(`ws://127.0.0.1:${world.port}/echo?who=${name}`)
    const expected: string[] = []
    ws.on('message', (data: Buffer) => {
      world.log.answers++
      if (expected.shift() !== data.toString()) world.log.fault(`${name}: not in order`)
    })
    // What has failed is told by the close.
    ws.on('error', (error) => world.isDraining || world.log.fault(`${name}: ${error.message}`))
    const closed = closeOf(ws)
    await openOf(ws, closed)
    if (ws.readyState === ws.OPEN) {
      world.log.healthyOpened++
      world.log.opened++
    }
    const until = performance.now() + 1_000 + random() ** 3 * 60_000
    for (let n = 0; world.isOn && ws.readyState === ws.OPEN && performance.now() < until; n++) {
      const message = anything(random, n)
      expected.push(message.toString())
      ws.send(message)
      await world.pause(100 + random() * 200)
    }
    await wsLeaves(world, ws, closed, name)
  }
}

async function wsLeaves(
  world: World,
  ws: WebSocket,
  closed: Promise<Closed>,
  name: string,
): Promise<void> {
  const isOurs = ws.readyState === ws.OPEN
  if (isOurs) ws.close(1000)
  const { code, reason } = await closed
  const isRight = isOurs && (code === 1000 || code === 1005)
  if (!isRight && !world.isDraining) world.cut(name, code, reason)
}

/** Looks at the page for operators: it is told something at least once in a while. */
export async function watchPage(world: World, name: string): Promise<void> {
  while (world.isOn) {
    const ws = new WebSocket(`${world.url.replace('http', 'ws')}/admin/live`, {
      origin: world.url,
    })
    let told = 0
    ws.on('message', () => {
      told++
    })
    ws.on('error', (error) => world.isDraining || world.log.fault(`${name}: ${error.message}`))
    const closed = closeOf(ws)
    await openOf(ws, closed)
    await Promise.race([closed, world.pause(QUIET)])
    if (told === 0 && world.isOn && !world.isDraining) {
      world.log.fault(`${name}: is told nothing for ${QUIET} ms, in state ${ws.readyState}`)
    }
    await wsLeaves(world, ws, closed, name)
  }
}

/** Plain requests beside all that. */
export async function runHttp(world: World, name: string): Promise<void> {
  while (world.isOn) {
    const path = world.log.answers % 3 === 0 ? '/metrics' : '/http'
    const status = await fetchOf(`${world.url}${path}`)
    if (status !== 200 && !world.isDraining) world.log.fault(`${name}: ${path} got ${status}`)
    await world.pause(400)
  }
}

/** A request of its own connection, which is gone when it is answered. */
async function fetchOf(url: string): Promise<number | string> {
  return new Promise((resolve) => {
    const request = get(url, { agent: false, timeout: LONG }, (response) => {
      text(response).then(
        () => resolve(response.statusCode ?? 0),
        (error: unknown) => resolve(String(error)),
      )
    })
    request.on('timeout', () => request.destroy(new Error('no answer')))
    request.on('error', ({ message }) => resolve(message))
  })
}
