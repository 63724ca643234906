import assert from 'node:assert/strict'
import { after, type TestContext } from 'node:test'
import { addressIn, type Program, start } from '../support/servers/program.js'

export interface Running {
  readonly program: Program
  readonly http: string
  readonly ws: string
}

/** An example, started as its reader would start it, on a port of its own. */
export async function run(
  t: TestContext,
  name: string,
  variables: Record<string, string> = {},
): Promise<Running> {
  const program = start(t, `examples/${name}.ts`, { PORT: '0', ...variables })
  return runningAt(program, addressIn(await program.line(`${LISTENING}127.0.0.1`)))
}

/** The same app, built in a process that it shares with those of other tests. */
export async function serve(
  t: TestContext,
  name: string,
  variables: Record<string, string> = {},
): Promise<Running> {
  const { program, url } = await (host ??= startHost())
  const asked = {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify(variables),
  }
  const built = await fetch(new URL(name, url), asked)
  const address = await built.text()
  assert.equal(built.status, 200, address)
  t.after(async () => {
    const response = await fetch(new URL(address, url), { method: 'DELETE' })
    assert.equal(await response.text(), '0', 'steps of an end that were left behind')
  })
  // Skips what was logged before.
  return runningAt(program, addressIn(await program.line(`${LISTENING}${address}`)))
}

const LISTENING = 'Server listening at http://'

interface Host {
  readonly program: Program
  readonly url: URL
}

let host: Promise<Host> | undefined
let stopHost: (() => Promise<void>) | undefined
// Here, as within a test it would run at the end of that test.
after(() => stopHost?.())

async function startHost(): Promise<Host> {
  const program = start({ after: (stop) => (stopHost = stop) }, 'test/examples/host.ts')
  return { program, url: addressIn(await program.line('The host is at')) }
}

function runningAt(program: Program, { host }: URL): Running {
  return { program, http: `http://${host}`, ws: `ws://${host}` }
}

/** What an example logged in a line with `text`. */
export async function logged(program: Program, text: string): Promise<Record<string, unknown>> {
  return JSON.parse(await program.line(text)) as Record<string, unknown>
}
