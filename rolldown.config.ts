// Makes `dist` of `lib`: the code in one file, which loads in half the time of a hundred, and the declarations in another.
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
      AFTER +
      code
        // It renames what is imported from Fastify and augmented, which are the same.
        .replaceAll(/(\w+) as \1\$1/g, '$1')
        .replaceAll(/(\w+)\$1\b/g, '$1')
        // It loses the space before the star of a comment.
        .replaceAll(/^( *)\*(?=[ /\n])/gm, '$1 *')
    )
  },
}

export default defineConfig({
  input: { index: 'lib/index.ts' },
  platform: 'node',
  external: /^[^./]/,
  // Files that only augment types export nothing.
  treeshake: { moduleSideEffects: true },
  plugins: [dts({ oxc: true, tsconfig: 'tsconfig.build.json' }), readable],
  output: {
    dir: 'dist',
    cleanDir: true,
    // lib/platform/here.ts is loaded when it is needed.
    chunkFileNames: '[name].js',
    comments: { jsdoc: false },
  },
})
