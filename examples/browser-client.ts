// A client for a page: it comes back where that makes sense, and waits longer each time. It does not run by
// itself. Copy it, to change it; `fastify-websocket-lifecycle/client` does more. Set `refuse: 'close-frame'` on
// the server: of a refusal by HTTP a page sees only 1006, and this client would come back for ever.

/** With any other code the next attempt would end in the same way. The list of the package's `isRetryable`. */
export const RETRYABLE = new Set([1001, 1005, 1006, 1011, 1012, 1013, 1014, 3008])
const FIRST_WAIT = 1_000
const LONGEST_WAIT = 30_000
/** After a connection that was open for so long the waits begin anew. */
const STABLE = 10_000

export interface Connection {
  /** `false` while no connection is open: the message was not sent, and it is not kept. */
  send(message: string): boolean
  /** Ends the connection for good. */
  close(): void
}

/** @param onOver learns that the connection will not come back. With 3000 the user has to sign in again. */
export function connect(
  url: string,
  onMessage: (message: string) => void,
  onOver?: (code: number, reason: string) => void,
): Connection {
  let failures = 0
  let isClosed = false
  let timer: ReturnType<typeof setTimeout> | undefined
  let socket = open()

  function open(): WebSocket {
    let openedAt = Infinity
    const opening = new WebSocket(url)
    // Too early to begin the waits anew: a server that refuses with a close frame opens first.
    opening.addEventListener('open', () => (openedAt = performance.now()))
    opening.addEventListener('message', ({ data }) => isClosed || onMessage(String(data)))
    opening.addEventListener('close', ({ code, reason }) => {
      if (isClosed) return
      if (!RETRYABLE.has(code)) return onOver?.(code, reason)
      if (performance.now() - openedAt >= STABLE) failures = 0
      const wait = Math.min(FIRST_WAIT * 2 ** failures++, LONGEST_WAIT)
      // At random between a half of it and all: the clients of a server that restarts come one by one.
      timer = setTimeout(() => (socket = open()), wait * (0.5 + Math.random() / 2))
    })
    return opening
  }

  return {
    send(message) {
      const isOpen = socket.readyState === WebSocket.OPEN
      if (isOpen) socket.send(message)
      return isOpen
    },
    close() {
      isClosed = true
      clearTimeout(timer)
      socket.close()
    },
  }
}
