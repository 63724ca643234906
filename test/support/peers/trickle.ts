import { once } from 'node:events'
import { type AddressInfo, connect, createServer, type Server, type Socket } from 'node:net'
import type { TestContext } from 'node:test'
import { turns } from '../time/fake-clock.js'

const ONE_READ = 65_536

/**
 * A line to a server that can be made to carry a byte at a time: node's own streams take 64 KiB at
 * once from the kernel. Whoever connects to its port talks to that server.
 */
export class Trickle {
  readonly #server: Server
  #mayRead = Infinity
  #up: Socket | undefined

  private constructor(server: Server) {
    this.#server = server
  }

  static async to(t: TestContext, port: number): Promise<Trickle> {
    const server = createServer((down) => trickle.#join(down, port))
    const trickle = new Trickle(server)
    t.after(() => {
      server.close()
      trickle.#up?.destroy()
    })
    server.listen(0, '127.0.0.1')
    await once(server, 'listening')
    return trickle
  }

  get port(): number {
    return (this.#server.address() as AddressInfo).port
  }

  /** From now on nothing is read but what {@link read} asks for. */
  stop(): void {
    this.#mayRead = 0
    this.#up?.pause()
  }

  /** Reads so many bytes, or what there is of them. The first time it may be one read more. */
  async read(bytes: number): Promise<void> {
    this.#mayRead = bytes
    this.#up?.resume()
    for (let turn = 0; this.#mayRead > 0 && turn < 100; turn++) await turns(1)
    this.stop()
  }

  /** Reads on as fast as it comes. */
  run(): void {
    this.#mayRead = Infinity
    this.#up?.resume()
  }

  #join(down: Socket, port: number): void {
    const buffer = (): Buffer => Buffer.alloc(Math.max(1, Math.min(this.#mayRead, ONE_READ)))
    const callback = (count: number, data: Uint8Array): boolean => {
      down.write(Buffer.from(data.subarray(0, count)))
      this.#mayRead -= count
      return this.#mayRead > 0
    }
    const up = connect({ port, host: '127.0.0.1', onread: { buffer, callback } })
    this.#up = up
    down.on('data', (data) => up.write(data))
    down.on('close', () => up.destroy())
    down.on('error', () => {})
    up.on('error', () => {})
    up.on('close', () => down.destroy())
  }
}
