// Compiles the fixtures of test/types against the packed package, as its users would.
// TSC names another compiler than the project's own: TSC=/path/to/typescript/bin/tsc npm run test:types
import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import { cp, mkdir, rm, writeFile } from 'node:fs/promises'
import { dirname, join, resolve } from 'node:path'
import { after, before, describe, it } from 'node:test'
import { isFastifySince } from '../support/servers/fastify-version.js'
import { installTarball, root, runNode, type Installed } from '../support/servers/tarball.js'

const tsc = resolve(process.env['TSC'] ?? join(root, 'node_modules/typescript/bin/tsc'))
const { version } = JSON.parse(readFileSync(join(dirname(tsc), '../package.json'), 'utf8')) as {
  version: string
}
/**
 * 5.6 is the oldest that parses the types: before it an export's name could not be a string. An app that is CommonJS needs
 * 5.8, which knows that Node can require ES modules.
 */
const isBefore58 = /^5\.[67]\./.test(version)

// Each two values of two columns meet in one of the rows.
const rows = [
  { type: 'module', first: 'ours', skipLibCheck: false },
  { type: 'module', first: 'theirs', skipLibCheck: true },
  { type: 'commonjs', first: 'ours', skipLibCheck: true },
  { type: 'commonjs', first: 'theirs', skipLibCheck: false },
] as const
const users = rows.filter(({ type }) => type === 'module' || !isBefore58)

/** Whether a compiler complains about the type provider of zod, which needs the types of Fastify 5.5, and TypeScript 5.8. */
function isOfZod(line: string): boolean {
  return (
    (isBefore58 || !isFastifySince('5.5.0')) &&
    line.includes('node_modules/fastify-type-provider-zod/')
  )
}

describe('types, as a user of the packed package sees them', { concurrency: 2 }, () => {
  let installed: Installed
  before(async () => {
    installed = await installTarball()
  })
  after(() => installed[Symbol.asyncDispose]())

  for (const { type, first, skipLibCheck } of users) {
    it(`${type}, imports ${first} first, skipLibCheck ${skipLibCheck}`, async () => {
      const project = join(installed.dir, `${type}-${first}`)
      await mkdir(project)
      await cp(join(root, 'test/types'), project, { recursive: true })
      await writeFile(join(project, 'package.json'), JSON.stringify({ type }))
      const config = {
        extends: './tsconfig.json',
        compilerOptions: { skipLibCheck },
        files: [`${first}-first.ts`, ...(type === 'commonjs' ? ['require.cts'] : [])],
      }
      await writeFile(join(project, 'tsconfig.user.json'), JSON.stringify(config))

      const { code, stdout, stderr } = await runNode([tsc, '-p', 'tsconfig.user.json'], project)

      const lines = `${stdout}${stderr}`.split('\n')
      const ours = lines.filter((line) => !isOfZod(line))
      assert.equal(ours.join('\n'), '')
      if (ours.length === lines.length) assert.equal(code, 0)
      await rm(project, { recursive: true })
    })
  }

  // The client runs in both, and its types need nothing of the other.
  const places = {
    page: { lib: ['es2022', 'dom'], types: [] },
    node: { lib: ['es2022'], types: ['node'] },
  }
  for (const [place, libraries] of Object.entries(places)) {
    it(`the client, for a user with the types of a ${place} only`, async () => {
      const project = join(installed.dir, `client-${place}`)
      await mkdir(project)
      await cp(join(root, 'test/types'), project, { recursive: true })
      await writeFile(join(project, 'package.json'), '{ "type": "module" }')
      const config = {
        extends: './tsconfig.json',
        compilerOptions: { ...libraries, skipLibCheck: false },
        files: [`client/${place}.ts`],
      }
      await writeFile(join(project, 'tsconfig.user.json'), JSON.stringify(config))

      const outcome = await runNode([tsc, '-p', 'tsconfig.user.json'], project)

      assert.deepEqual(outcome, { code: 0, stdout: '', stderr: '' })
      await rm(project, { recursive: true })
    })
  }
})
