// Compiles the fixtures of test/types against the packed package, as its users would.
// TSC names another compiler than the project's own: TSC=/path/to/typescript/bin/tsc npm run test:types
import assert from 'node:assert/strict'
import { cp, mkdir, realpath, rm, writeFile } from 'node:fs/promises'
import { join, resolve } from 'node:path'
import { after, before, describe, it, test } from 'node:test'
import { isFastifySince } from '../support/servers/fastify-version.js'
import { installTarball, root, runNode, type Installed } from '../support/servers/tarball.js'

const compilerOf = (name: string): string => join(root, 'node_modules', name, 'bin/tsc')
const own = compilerOf('typescript')
/**
 * Older ones cannot parse `export { commonJs as 'module.exports' }`. For an app that is CommonJS it takes 5.8, which knows
 * that Node can require ES modules.
 */
const oldest = compilerOf('typescript-5.6')
const given = process.env['TSC']

// Each two values of two columns meet in one of the rows.
const rows = [
  { type: 'module', first: 'ours', skipLibCheck: false },
  { type: 'module', first: 'theirs', skipLibCheck: true },
  { type: 'commonjs', first: 'ours', skipLibCheck: true },
  { type: 'commonjs', first: 'theirs', skipLibCheck: false },
] as const
const users = [
  ...rows.map((row) => ({ ...row, name: '', tsc: given === undefined ? own : resolve(given) })),
  ...(given === undefined ? [{ ...rows[0], name: ', TypeScript 5.6', tsc: oldest }] : []),
]

/** Whether a compiler complains about the type provider of zod, which needs the types of Fastify 5.5, and a later TypeScript. */
function isOfZod(line: string, tsc: string): boolean {
  const isTooOld = tsc === oldest || !isFastifySince('5.5.0')
  return isTooOld && line.includes('node_modules/fastify-type-provider-zod/')
}

test('the scripts run the TypeScript of the project, and not the oldest: else run npm ci', async () => {
  assert.equal(await realpath(join(root, 'node_modules/.bin/tsc')), await realpath(own))
})

describe('types, as a user of the packed package sees them', { concurrency: 2 }, () => {
  let installed: Installed
  before(async () => {
    installed = await installTarball()
  })
  after(() => installed[Symbol.asyncDispose]())

  for (const { type, first, skipLibCheck, name, tsc } of users) {
    it(`${type}, imports ${first} first, skipLibCheck ${skipLibCheck}${name}`, async () => {
      const project = join(installed.dir, `${type}-${first}${name}`)
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
      const ours = lines.filter((line) => !isOfZod(line, tsc))
      assert.equal(ours.join('\n'), '')
      if (ours.length === lines.length) assert.equal(code, 0)
      await rm(project, { recursive: true })
    })
  }
})
