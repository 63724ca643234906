// What peers do that misbehave.
import type { Peer } from '../../../../lib/testing/api.js'
import { bytesOf, frameOf, OPCODE } from '../../../../lib/testing/frames.js'
import { KEEPALIVE, LONGEST_STALL, MAX_PAYLOAD } from '../timings.js'
import type { World } from './world.js'

export interface Scene {
  readonly peer: Peer
  readonly world: World
  readonly random: () => number
}

export type Act = (scene: Scene) => Promise<void>

/**
 * A dead peer is found within this, in ms: long after the bound, because each stall of the server moves it, and a busy
 * machine is one.
 */
const FOUND_WITHIN = 10 * (KEEPALIVE.interval + KEEPALIVE.timeout) + 10 * LONGEST_STALL

const CONTROL_FINAL = 0x80
const COMPRESSED = 0x40

function text(random: () => number, most: number): string {
  return 'x'.repeat(Math.floor(random() * most))
}

function bytes(random: () => number, count: number): Buffer {
  return Buffer.from(Array.from({ length: count }, () => Math.floor(random() * 256)))
}

/** Waits for an end of the server's, but not for long. */
async function ended({ peer, world }: Scene, most: number): Promise<void> {
  peer.timeout = Infinity
  await Promise.race([peer.closed, world.pause(most)])
}

/** Says some things, at some pace. */
async function chat({ peer, world, random }: Scene): Promise<void> {
  const count = random() * 12
  for (let number = 0; number < count && world.isOn; number++) {
    peer.send(JSON.stringify({ n: number, text: text(random, 200) }))
    await world.pause(random() * 150)
  }
}

export const ACTS: Readonly<Record<string, Act>> = {
  chats: async (scene) => {
    await chat(scene)
    await scene.peer.close(1000)
  },
  'leaves at once': async ({ peer }) => {
    await peer.close()
  },
  'leaves with some code': async (scene) => {
    await chat(scene)
    const codes = [1000, 1001, 1003, 1011, 1012, 3000, 4000, 4999]
    await scene.peer.close(codes[Math.floor(scene.random() * codes.length)], 'so it is')
  },
  drops: async (scene) => {
    await chat(scene)
    scene.peer.drop()
    await ended(scene, 3_000)
  },
  resets: async (scene) => {
    await chat(scene)
    scene.peer.reset()
  },
  'resets while it sends': async ({ peer, random }) => {
    for (let number = 0; number < 20; number++) peer.send(text(random, 5_000))
    peer.reset()
  },
  freezes: async (scene) => {
    const { peer, random, world } = scene
    await chat(scene)
    peer.freeze()
    await world.pause(random() * 8_000)
    if (random() < 0.5) peer.thaw()
    await ended(scene, 500)
  },
  'is deaf': async ({ peer, world }) => {
    peer.deaf()
    peer.timeout = Infinity
    const from = performance.now()
    await Promise.race([peer.closed, world.pause(FOUND_WITHIN)])
    if (!world.isOn || performance.now() - from < FOUND_WITHIN) return
    world.log.fault(`a dead peer was not found within ${FOUND_WITHIN} ms`)
  },
  trickles: async (scene) => {
    const { peer, random } = scene
    peer.trickle(10 + random() * 3_000)
    await chat(scene)
    await ended(scene, random() * 5_000)
  },
  'reads nothing of much': async (scene) => {
    const { peer, random, world } = scene
    peer.freeze()
    for (let number = 0; number < 300 && world.isOn; number++) {
      peer.send(text(random, 4_000))
      if (number % 20 === 0) await world.pause(10)
    }
    await world.pause(random() * 5_000)
  },
  'sends garbage': async (scene) => {
    scene.peer.sendRaw(bytes(scene.random, 1 + Math.floor(scene.random() * 300)))
    await ended(scene, 2_000)
  },
  'sends half a frame': async (scene) => {
    const { peer, random } = scene
    const frame = frameOf(OPCODE.text, text(random, 2_000))
    peer.sendRaw(frame.subarray(0, 1 + Math.floor(random() * (frame.length - 1))))
    peer.deaf()
    await ended(scene, random() * 4_000)
  },
  'sends a frame that is not masked': async (scene) => {
    scene.peer.sendRaw(bytesOf(CONTROL_FINAL | OPCODE.text, 'hi', false))
    await ended(scene, 2_000)
  },
  'sends what cannot be unpacked': async (scene) => {
    const { peer, random } = scene
    peer.sendRaw(bytesOf(CONTROL_FINAL | COMPRESSED | OPCODE.text, bytes(random, 40)))
    await ended(scene, 2_000)
  },
  'sends too much': async (scene) => {
    scene.peer.send('x'.repeat(MAX_PAYLOAD + 1))
    await ended(scene, 3_000)
  },
  floods: async (scene) => {
    const { peer, random, world } = scene
    for (let number = 0; number < 400 && world.isOn; number++) {
      peer.send(JSON.stringify({ n: number }))
      if (number % 100 === 0) await world.pause(random() * 20)
    }
    await ended(scene, random() * 2_000)
  },
  'floods with pings': async (scene) => {
    for (let number = 0; number < 200; number++) scene.peer.sendRaw(frameOf(OPCODE.ping, 'p'))
    await ended(scene, scene.random() * 1_000)
  },
  'sends many fragments': async (scene) => {
    const { peer, world } = scene
    peer.sendRaw(bytesOf(OPCODE.text, 'x'))
    for (let number = 0; number < 3_000 && world.isOn; number++) {
      peer.sendRaw(bytesOf(OPCODE.continuation, 'x'))
    }
    await ended(scene, 1_000)
  },
  'asks for an end, and refuses it': async (scene) => {
    const { peer, world } = scene
    peer.send('close me')
    peer.freeze()
    await world.pause(scene.random() * 4_000)
  },
  'asks for an end': async (scene) => {
    scene.peer.send(scene.random() < 0.5 ? 'close me' : 'terminate me')
    await ended(scene, 1_500)
  },
  'sends a wrong close frame': async (scene) => {
    const { peer, random } = scene
    const payload = random() < 0.5 ? Buffer.from([3]) : Buffer.from([0, 7])
    peer.sendRaw(frameOf(OPCODE.close, payload))
    await ended(scene, 2_000)
  },
  'stays quiet': async (scene) => {
    await ended(scene, scene.random() * 6_000)
  },
  'speaks after its close frame': async ({ peer, random }) => {
    const closed = peer.close(1000)
    for (let number = 0; number < 5; number++) peer.send(text(random, 100))
    await closed
  },
}
