// A bot that decides by the close code whether it comes back. It has a session, so it misses no question while its network is
// away. Start the chat with `npx tsx examples/sessions.ts`, and the bot with `npx tsx examples/bot.ts`; then ask: `bot?`
import { isRetryable, LifecycleClient } from 'fastify-websocket-lifecycle/client'
import { WebSocket } from 'ws'

const MOST_ATTEMPTS = 20

/** After these codes there is nothing to repair: somebody has ended it, or a newer bot has its place. */
const DONE = new Set([1000, 4409])

export interface Bot {
  readonly client: LifecycleClient
  /** Resolves with whether somebody has to look at it. */
  readonly failed: Promise<boolean>
}

export function startBot(url: string): Bot {
  const client = new LifecycleClient(url, {
    WebSocket,
    resume: true,
    // The default is `isRetryable(code)`: lost networks, restarts, a full server, but not 3000 (sign in) or 1008 (too many
    // messages), after which the next attempt would end in the same way. For a bot that nobody watches "for ever" is too long.
    shouldRetry: ({ code, attempts }) => isRetryable(code) && attempts < MOST_ATTEMPTS,
  })

  client.addEventListener('open', ({ resumed, undelivered }) => {
    console.log(resumed ? 'back' : 'in the chat')
    // The old session has ended. It may have handled these answers or not: better twice than never.
    if (!resumed) for (const answer of undelivered) client.send(answer)
  })
  client.addEventListener('message', ({ data }) => {
    const asked = typeof data === 'string' && /^(\S+): bot\?$/.exec(data)
    if (asked) client.send(`${asked[1]}, I am here`)
  })

  const failed = new Promise<boolean>((resolve) => {
    client.addEventListener('close', ({ code, undelivered }) => {
      console.log(`over: ${code}, answers that were not confirmed: ${undelivered.length}`)
      resolve(!DONE.has(code))
    })
  })
  return { client, failed }
}

if (process.argv[1] === import.meta.filename) {
  const url = process.env['CHAT'] ?? 'ws://127.0.0.1:3000/chat?user=bot'
  const { client, failed } = startBot(url)
  for (const signal of ['SIGINT', 'SIGTERM'] as const) process.once(signal, () => client.close())
  // Who runs the bot (systemd, Kubernetes) starts it again, or tells somebody.
  process.exitCode = (await failed) ? 1 : 0
}
