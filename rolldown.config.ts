// Makes `dist` of `lib`: the code in one file, which loads in half the time of a hundred, and the declarations in another.
// And the same for the client, which shares no file with the server: a page imports it as it is. And for the plugins that
// are subpaths: an app that registers none of them loads nothing of them.
import { readFile } from 'node:fs/promises'
import { defineConfig, type Plugin } from 'rolldown'
import { dts } from 'rolldown-plugin-dts'

/** Our augmentations have to come after those of `@fastify/websocket`: see lib/api/fastify-instance.ts. */
const AFTER = "import '@fastify/websocket'\n"

/** Mends what the plugin for declarations makes less readable, and lets go of. */
const readable: Plugin = {
  name: 'readable-declarations',
  renderChunk(code, { fileName }) {
    if (!fileName.endsWith('.d.ts')) return undefined
    return (
      (code.includes('declare module "fastify"') ? AFTER : '') +
      code
        // It renames what is imported from Fastify and augmented, which are the same.
        .replaceAll(/(\w+) as \1\$1/g, '$1')
        .replaceAll(/(\w+)\$1\b/g, '$1')
        // It loses the space before the star of a comment.
        .replaceAll(/^( *)\*(?=[ /\n])/gm, '$1 *')
    )
  },
}

/** The public types stand in one place: the declarations of another entry take them from there. */
const typesOfMain: Plugin = {
  name: 'types-of-main',
  resolveId: (source) =>
    source.startsWith('../api/') ? { id: './index.js', external: true } : undefined,
}

const PAGE = 'lib/dashboard/page'

/** In the order of the cascade. */
const STYLES = ['theme', 'base', 'reports', 'numbers', 'tables', 'sheet', 'widths']

/** The page of operators is more than its module. */
const restOfPage: Plugin = {
  name: 'rest-of-page',
  async generateBundle() {
    for (const fileName of ['page.html', 'icon.svg']) {
      this.emitFile({ type: 'asset', fileName, source: await readFile(`${PAGE}/${fileName}`) })
    }
    const styles = STYLES.map((name) => readFile(`${PAGE}/${name}.css`, 'utf8'))
    const source = (await Promise.all(styles)).join('\n')
    this.emitFile({ type: 'asset', fileName: 'page.css', source })
  },
}

const output = {
  dir: 'dist',
  // lib/platform/here.ts is loaded when it is needed.
  chunkFileNames: '[name].js',
  comments: { jsdoc: false },
} as const

const plugins = [dts({ oxc: true, tsconfig: 'tsconfig.build.json' }), readable]
// An input that is not external has to begin with a dot.
const server = { platform: 'node', external: /^[^./]/, plugins } as const

export default defineConfig([
  {
    ...server,
    input: { index: './lib/index.ts' },
    // Files that only augment types export nothing.
    treeshake: { moduleSideEffects: true },
    output: { ...output, cleanDir: true },
  },
  {
    ...server,
    input: { metrics: './lib/metrics/index.ts' },
    output,
  },
  {
    input: { client: 'lib/client/index.ts' },
    platform: 'browser',
    plugins,
    output,
  },
  {
    ...server,
    input: { otel: './lib/otel/index.ts' },
    plugins: [typesOfMain, ...plugins],
    output,
  },
  {
    ...server,
    input: { redis: './lib/redis/index.ts' },
    plugins: [typesOfMain, ...plugins],
    output,
  },
  {
    ...server,
    input: { dashboard: './lib/dashboard/index.ts' },
    output,
  },
  {
    input: { page: `${PAGE}/main.ts` },
    platform: 'browser',
    plugins: [restOfPage],
    output: { dir: 'dist/dashboard', minify: true },
  },
  {
    ...server,
    input: { testing: './lib/testing/index.ts' },
    plugins: [typesOfMain, ...plugins],
    output,
  },
])
