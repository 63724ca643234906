// A server whose callbacks do what a schedule says, and note what must not be.
import { AsyncLocalStorage } from 'node:async_hooks'
import { setImmediate as turn } from 'node:timers/promises'
import Fastify, { type FastifyInstance, type FastifyReply, type FastifyRequest } from 'fastify'
import type {
  CloseInfo,
  LifecycleSocket,
  RouteLifecycleOptions,
  WebsocketLifecycleOptions,
} from '../../../lib/index.js'
import { createPlugin } from '../../../lib/plugin/plugin.js'
import { portOf } from '../servers/app.js'
import { FakeClock } from '../time/fake-clock.js'
import { gate } from '../time/gate.js'
import { BOUNDS, ROUTE_OPTIONS } from './kernel-bounds.js'
import type { Behaviour, Handling, Place, RouteName } from './kernel-commands.js'
import type { Guest } from './kernel-guest.js'
import { randomFrom } from './random.js'

/** What must be in no line of the log. */
const SECRET = 'SECRET'
const LONGEST_LINE = 1_024

export class KernelWorld {
  readonly clock = new FakeClock()
  readonly app: FastifyInstance
  readonly guests: Guest[] = []
  /** What must not be. */
  readonly faults: string[] = []
  readonly #stores = new AsyncLocalStorage<string>()
  readonly #end = gate()
  #messages = 0

  private constructor(seed: number) {
    this.clock.random = randomFrom(seed)
    this.app = Fastify({
      logger: { level: 'debug', stream: { write: (line: string) => this.#logged(line) } },
      // The drain may take longer than Fastify lets a hook.
      pluginTimeout: 0,
    })
  }

  static async serve(seed: number, routes: Iterable<RouteName>): Promise<KernelWorld> {
    const world = new KernelWorld(seed)
    const { app, clock } = world
    app.addHook('onRequest', (request, _reply, done) => {
      world.#stores.run(String(request.headers['x-guest']), done)
    })
    await app.register(createPlugin(clock), world.#options())
    world.#route(routes)
    await app.listen({ host: '127.0.0.1', port: 0 })
    return world
  }

  get port(): number {
    return portOf(this.app)
  }

  headersOf(number: number, key: string): Record<string, string> {
    return { 'x-guest': `${number}`, 'x-key': key, 'x-secret': SECRET }
  }

  /** Lets what hangs fail. All is over by then. */
  end(): void {
    this.#end.open()
    for (const { door, messageGates } of this.guests) {
      door.open()
      for (const each of messageGates) each.open()
    }
  }

  fault(guest: Guest, what: string): void {
    this.faults.push(`${guest.name} ${what}`)
  }

  /** Sends a message that each of the guests should get. @returns its text */
  textFor(guests: readonly Guest[], bytes: number): string {
    const name = `${SECRET}${this.#messages++}`
    for (const guest of guests) {
      guest.sent.push(name)
      guest.bytesSent += bytes
      guest.largestSent = Math.max(guest.largestSent, bytes)
      guest.activeAt = this.clock.now()
    }
    return name.padEnd(bytes)
  }

  send(guest: Guest, bytes: number, behaviour: 'nothing' | 'throw' | 'reject' = 'nothing'): void {
    const { socket } = guest
    if (socket === undefined || guest.closedAt !== undefined) return
    const text = guest.isOpen ? this.textFor([guest], bytes) : 'too late'
    const store = `send ${guest.callbacks++}`
    let calls = 0
    this.#stores.run(store, () => {
      socket.send(text, () => {
        guest.callbacksCalled++
        if (++calls > 1) this.fault(guest, `called back ${calls} times for one send()`)
        this.#sees(guest, 'a callback of send()', store)
        if (behaviour === 'nothing') return undefined
        this.#fails(guest)
        if (behaviour === 'throw') throw new Error('of a callback of send()')
        return Promise.reject(new Error('of a callback of send()'))
      })
    })
  }

  /** Adds a release: it runs once, and at once if all is over. */
  defer(guest: Guest, behave: () => unknown = () => {}): void {
    const release = { number: guest.releases.length, runs: 0 }
    const isLate = guest.closedAt !== undefined
    guest.releases.push(release)
    guest.socket?.scope.defer(() => {
      if (++release.runs > 1) this.fault(guest, `released ${release.number} once more`)
      if (!isLate) this.#sees(guest, 'a release')
      else if (this.#stores.getStore() !== `${guest.number}`) {
        this.fault(guest, `released in the context of ${this.#stores.getStore()}`)
      }
      if (guest.goneAt === undefined) this.fault(guest, 'released before its end')
      guest.ends.push(`release ${release.number}`)
      return behave()
    })
  }

  #options(): WebsocketLifecycleOptions {
    const { keepalive, closeTimeout, cleanupTimeout, handshakeTimeout, drainTimeout } = BOUNDS
    return {
      keepalive,
      closeTimeout,
      cleanupTimeout,
      handshakeTimeout,
      drain: { timeout: drainTimeout, spread: 500 },
      websocket: { maxPayload: 100_000 },
      onClose: (_socket, { headers }) => {
        const guest = this.guests[Number(headers['x-guest'])]
        if (guest !== undefined) guest.ends.push('onClose of the plugin')
      },
    }
  }

  #route(routes: Iterable<RouteName>): void {
    for (const route of routes) {
      const options = {
        websocket: true as const,
        onRequest: async (request: FastifyRequest) => this.#stand(request),
        preHandler: async (request: FastifyRequest, reply: FastifyReply) =>
          this.#refuse(request, reply),
        ...this.#hooks(),
        ...ROUTE_OPTIONS[route],
      }
      const isPlain = route === 'plain'
      const onMessage: RouteLifecycleOptions['onMessage'] = (_socket, request, message) =>
        this.#heard(this.#guestOf(request), String(message))
      this.app.get(`/${route}`, isPlain ? options : { ...options, onMessage }, (socket, request) =>
        this.#opened(this.#guestOf(request), socket, isPlain),
      )
    }
  }

  #guestOf({ headers }: FastifyRequest): Guest {
    return this.guests[Number(headers['x-guest'])] as Guest
  }

  /** The first hook of the route. */
  async #stand(request: FastifyRequest): Promise<void> {
    const guest = this.#guestOf(request)
    const release = { number: guest.releases.length, runs: 0 }
    guest.releases.push(release)
    request.wsScope?.defer(() => {
      if (++release.runs > 1) this.fault(guest, 'released the scope of its request twice')
      this.#sees(guest, 'the first release')
      guest.ends.push(`release ${release.number}`)
    })
    if (guest.dial.hook === 'slow') await guest.door.opened
  }

  /** The last hook of the route. */
  async #refuse(request: FastifyRequest, reply: FastifyReply): Promise<unknown> {
    const { hook } = this.#guestOf(request).dial
    if (hook === 'throw') throw new Error('of a hook')
    if (hook === 'answer') return reply.code(401).send()
    if (hook === 'refuse') return reply.refuseWebsocket(3000)
    return undefined
  }

  #hooks(): RouteLifecycleOptions {
    return {
      onShutdown: (_socket, request) => this.#act(this.#guestOf(request), 'onShutdown'),
      onUnexpectedClose: (_socket, request, close) => {
        const guest = this.#guestOf(request)
        if (close.expected) this.fault(guest, `calls ${close.cause} unexpected`)
        guest.ends.push('onUnexpectedClose')
        return this.#act(guest, 'onUnexpectedClose')
      },
      onClose: (_socket, request, close) => {
        const guest = this.#guestOf(request)
        guest.ends.push('onClose')
        guest.info ??= close
        return this.#act(guest, 'onClose')
      },
      onHandlerError: (_socket, request) => {
        const guest = this.#guestOf(request)
        guest.errors++
        return this.#act(guest, 'onHandlerError')
      },
    }
  }

  #opened(guest: Guest, socket: LifecycleSocket, isPlain: boolean): unknown {
    if (guest.socket !== undefined) this.fault(guest, 'was handled twice')
    guest.socket = socket
    guest.openedAt = this.clock.now()
    guest.activeAt = this.clock.now()
    const leaves = (): void => {
      this.#sees(guest, 'a listener')
      guest.leavesOpen(this.clock.now())
    }
    socket.scope.signal.addEventListener('abort', leaves)
    socket.on('close', () => {
      leaves()
      guest.goneAt = this.clock.now()
    })
    void socket.closed.then((close: CloseInfo) => {
      guest.closedAt = this.clock.now()
      if (guest.info !== close) this.fault(guest, 'has another record in closed')
    })
    if (isPlain) socket.on('message', (data: Buffer) => this.#heard(guest, data.toString()))
    this.defer(guest, () => this.#behave(guest, guest.behaviourAt('last release')))
    this.defer(guest, () => this.#behave(guest, guest.behaviourAt('first release')))
    if (guest.behaviourAt('handler') === 'hang' && !isPlain) guest.isBlocked = true
    return this.#act(guest, 'handler')
  }

  #heard(guest: Guest, message: string): unknown {
    this.#sees(guest, 'a message')
    const [number, handling] = message.split(' ')
    if (Number(number) !== guest.heard) {
      this.fault(guest, `got message ${number} in place of ${guest.heard}`)
    }
    if (guest.hasRefused) this.fault(guest, `got message ${number} after its own end`)
    guest.heard++
    return this.#handle(guest, handling as Handling)
  }

  #handle(guest: Guest, handling: Handling): unknown {
    if (handling !== 'hang') {
      return handling === 'nothing' ? undefined : this.#behave(guest, handling)
    }
    const door = gate()
    guest.messageGates.push(door)
    if (guest.route === 'plain') return door.opened
    guest.isBlocked = true
    guest.hangs++
    return door.opened
  }

  #act(guest: Guest, place: Place): unknown {
    this.#sees(guest, place)
    return this.#behave(guest, guest.behaviourAt(place), place)
  }

  #behave(guest: Guest, behaviour: Behaviour | undefined, place?: Place): unknown {
    switch (behaviour) {
      case undefined:
        return undefined
      case 'turn':
        return turn()
      case 'throw':
        if (place !== 'onHandlerError') this.#fails(guest)
        throw new Error(`of ${place}`)
      case 'reject':
        if (place !== 'onHandlerError') this.#fails(guest)
        return Promise.reject(new Error(`of ${place}`))
      case 'hang':
        guest.hangs++
        return this.#hang()
      case 'close':
        this.#close(guest, place)
        return undefined
      case 'terminate':
        this.#close(guest, place, true)
        return undefined
      case 'send':
        this.send(guest, 10)
        return undefined
      case 'defer':
        this.defer(guest)
    }
    return undefined
  }

  async #hang(): Promise<void> {
    await this.#end.opened
    throw new Error('of what has hung')
  }

  #close(guest: Guest, place: Place | undefined, isHard = false): void {
    const { isOpen, socket } = guest
    // In onHandlerError the cause is known already.
    if (place !== 'onHandlerError') {
      if (isHard) guest.willEnd('server-terminate')
      else guest.willEnd('server-close', 4100)
      if (isOpen && guest.route !== 'plain') guest.hasRefused = true
    } else guest.codes.add(4100)
    guest.wasTerminated ||= isHard
    if (isHard) socket?.terminate()
    else socket?.close(4100)
  }

  /** A callback of the app fails. */
  #fails(guest: Guest): void {
    guest.willEnd('handler-error', 1011)
  }

  /** A callback of a guest runs, in its context, and not after its end. */
  #sees(guest: Guest, what: string, wanted = `${guest.number}`): void {
    const store = this.#stores.getStore()
    if (store !== wanted)
      this.fault(guest, `${what} runs in the context of ${store}, not ${wanted}`)
    if (guest.closedAt !== undefined) this.fault(guest, `${what} runs after closed`)
  }

  #logged(line: string): void {
    const bytes = Buffer.byteLength(line)
    // What Fastify logs of a hook that has failed is not ours.
    if (bytes > LONGEST_LINE && !line.includes('"res":{'))
      this.faults.push(`a line of ${bytes} bytes: ${line}`)
    if (line.includes(SECRET)) this.faults.push(`a secret in the log: ${line}`)
  }
}
