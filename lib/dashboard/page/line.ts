import { LifecycleClient } from '../../client/index.js'
import { CloseCode } from '../../core/close/codes.js'
import type { ToPage, ToServer } from '../protocol.js'

/** How the page stands to its server. */
export type LineState =
  | { readonly name: 'connecting' }
  | { readonly name: 'open' }
  | { readonly name: 'interrupted'; readonly attempts: number; readonly retryAt: number }
  | { readonly name: 'unauthorised' }
  | { readonly name: 'over'; readonly code: number; readonly reason: string }

/** The session of this page. */
export class Line {
  readonly #client: LifecycleClient
  readonly #changed: () => void
  #state: LineState = { name: 'connecting' }

  constructor(heard: (message: ToPage) => void, changed: () => void) {
    this.#changed = changed
    const url = new URL('live', document.baseURI)
    url.protocol = url.protocol === 'https:' ? 'wss:' : 'ws:'
    const client = new LifecycleClient(url, { resume: true })
    this.#client = client
    client.addEventListener('open', () => this.#become({ name: 'open' }))
    client.addEventListener('message', ({ data }) => heard(JSON.parse(data as string) as ToPage))
    client.addEventListener('lost', ({ attempts, retryIn }) => {
      this.#become({ name: 'interrupted', attempts, retryAt: performance.now() + retryIn })
      if (attempts > 0) void this.#askWhetherAllowed()
    })
    client.addEventListener('close', ({ code, reason }) => {
      if (this.#state.name === 'unauthorised') return
      const isUnauthorised = code === (CloseCode.Unauthorized as number)
      this.#become(isUnauthorised ? { name: 'unauthorised' } : { name: 'over', code, reason })
    })
  }

  get state(): LineState {
    return this.#state
  }

  /** While the server is away it waits. With a new session it is lost, as all that the server was told before. */
  say(message: ToServer): void {
    this.#client.send(JSON.stringify(message))
  }

  tryNow(): void {
    this.#client.reconnect()
  }

  /** A browser hides why an upgrade failed: the page itself is refused for the same reason. */
  async #askWhetherAllowed(): Promise<void> {
    // Without an answer the server is away, and the client goes on to try.
    const status = await fetch('./').then(
      (response) => response.status,
      () => 0,
    )
    if (status !== 401) return
    this.#become({ name: 'unauthorised' })
    this.#client.close()
  }

  #become(state: LineState): void {
    this.#state = state
    this.#changed()
  }
}
