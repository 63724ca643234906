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
