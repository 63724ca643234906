import { addressIn, type Program, start } from './program.js'

/** `npm run start:cluster`, as its page sees it. */
export interface ClusterDemo {
  readonly program: Program
  /** Of the page. */
  readonly url: URL
  board(): Promise<Board>
  /** Asks again and again until it is so. */
  boardWith(holds: (board: Board) => boolean): Promise<Board>
  post(path: 'cut' | 'kill', body: object): Promise<Response>
}

export interface Board {
  readonly nodes: ReadonlyArray<{
    readonly number: number
    readonly state: 'starting' | 'up' | 'killed'
    readonly id?: string
    readonly here: ReadonlyArray<{ readonly id: string; readonly suspended: boolean }>
  }>
  readonly seats: number
  readonly cleanups: ReadonlyArray<{
    readonly of: number
    readonly by: number
    readonly count: number
  }>
}

/** Fails a test that would ask for ever. In ms. */
const LONG = 60_000

export async function startClusterDemo(
  t: { after(stop: () => Promise<void>): void },
  variables: Record<string, string> = {},
): Promise<ClusterDemo> {
  const program = start(t, 'examples/cluster/server.ts', { PORT: '0', ...variables })
  const url = addressIn(await program.line('The demo is open at'))
  const board = async (): Promise<Board> => {
    const response = await fetch(new URL('board', url))
    return (await response.json()) as Board
  }
  return {
    program,
    url,
    board,
    async boardWith(holds) {
      const startedAt = performance.now()
      for (;;) {
        const last = await board()
        if (holds(last)) return last
        if (performance.now() - startedAt > LONG) {
          throw new Error(`Expected ${String(holds)}, got ${JSON.stringify(last)}`)
        }
      }
    },
    post: (path, body) =>
      fetch(new URL(path, url), {
        method: 'POST',
        headers: { 'content-type': 'application/json' },
        body: JSON.stringify(body),
      }),
  }
}
