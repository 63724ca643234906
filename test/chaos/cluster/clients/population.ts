import { DeviceClient } from './device-client.js'
import { SessionClient } from './session-client.js'
import { StrictClient } from './strict-client.js'
import type { World } from './world.js'

/** How many of each. */
const SIZES = { sessions: 100, strict: 60, devices: 30 }

function make<Client>(size: number, one: (index: number) => Client): Client[] {
  return Array.from({ length: size }, (_, index) => one(index))
}

/** All clients. */
export class Population {
  readonly devices: readonly DeviceClient[]
  readonly #runs: ReadonlyArray<Promise<void>>

  constructor(world: World) {
    this.devices = make(SIZES.devices, (index) => new DeviceClient(world, index))
    this.#runs = [
      ...make(SIZES.sessions, (index) => new SessionClient(world, index)),
      ...make(SIZES.strict, (index) => new StrictClient(world, index)),
      ...this.devices,
    ].map(async (client) => client.run())
  }

  /** Resolves when all have noticed that the world is over. */
  async left(): Promise<void> {
    for (const device of this.devices) device.leave()
    await Promise.all(this.#runs)
  }
}
