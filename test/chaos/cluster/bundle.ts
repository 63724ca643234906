import { mkdirSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import { build } from 'esbuild'

/** Beneath node_modules, so that it finds the packages. */
const FOLDER = fileURLToPath(new URL('../../../node_modules/.cache/chaos-cluster', import.meta.url))

/**
 * A node as one file of JavaScript: it starts several times as fast as from its sources.
 * @returns its path
 */
export async function bundleNode(): Promise<string> {
  mkdirSync(FOLDER, { recursive: true })
  const outfile = `${FOLDER}/node.mjs`
  await build({
    entryPoints: [fileURLToPath(new URL('./node/main.ts', import.meta.url))],
    outfile,
    bundle: true,
    packages: 'external',
    platform: 'node',
    format: 'esm',
    sourcemap: true,
    logLevel: 'warning',
  })
  return outfile
}
