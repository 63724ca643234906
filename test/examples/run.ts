import type { TestContext } from 'node:test'
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
  const { host } = addressIn(await program.line('Server listening at http://127.0.0.1'))
  return { program, http: `http://${host}`, ws: `ws://${host}` }
}

/** What an example logged in a line with `text`. */
export async function logged(program: Program, text: string): Promise<Record<string, unknown>> {
  return JSON.parse(await program.line(text)) as Record<string, unknown>
}
