import { existsSync } from 'node:fs'
import { type Browser, chromium } from 'playwright-core'

/** Where Debian puts it. */
const EXECUTABLE = process.env['CHROMIUM'] ?? '/usr/bin/chromium'

const ARGS = [
  '--no-sandbox',
  '--disable-gpu',
  '--disable-quic',
  '--no-first-run',
  '--disable-background-networking',
  '--disable-component-update',
  '--disable-sync',
]

/** How long anything on a page may take, in ms; nothing else depends on how long it is. */
export const PATIENCE = 60_000

/** What Chromium itself says on the console while a server is away for a moment, or about to go. */
export const AWAY: RegExp =
  /^error: .*(?:ERR_CONNECTION_(?:REFUSED|RESET)|ERR_EMPTY_RESPONSE|Connection closed before|response code: 503)/

let launched: Promise<Browser> | undefined

/** One for each file of tests. */
export function browser(): Promise<Browser> {
  if (!existsSync(EXECUTABLE)) throw new Error(`Expected Chromium at ${EXECUTABLE} (see CHROMIUM)`)
  launched ??= chromium.launch({ executablePath: EXECUTABLE, args: ARGS })
  return launched
}

export async function closeBrowser(): Promise<void> {
  await (await launched)?.close()
}
