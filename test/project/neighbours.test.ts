// The page of neighbours names the versions that are installed, and those alone.
import assert from 'node:assert/strict'
import { readdir, readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { describe, it } from 'node:test'
import { root } from '../support/servers/tarball.js'

interface Row {
  readonly name: string
  readonly versions: readonly string[]
}

async function readRows(): Promise<Row[]> {
  const page = await readFile(join(root, 'docs/neighbours.md'), 'utf8')
  return page
    .split('\n')
    .map((line) => /^\| \[`([^`]+)`\]\([^)]*\)[^|]*\|([^|]*)\|/.exec(line))
    .flatMap((found) => {
      const [, name, versions] = found ?? []
      return name === undefined || versions === undefined
        ? []
        : [{ name, versions: versions.split(',').map((version) => version.trim()) }]
    })
}

async function readTests(): Promise<string> {
  const dir = join(root, 'test/company')
  const names = await readdir(dir, { recursive: true })
  const files = names.filter((name) => name.endsWith('.ts')).map((name) => join(dir, name))
  return (await Promise.all(files.map(async (file) => readFile(file, 'utf8')))).join('\n')
}

describe('the table of neighbours', () => {
  it('names for each the version of the lockfile, and of what a test installs by itself', async () => {
    const { packages } = JSON.parse(await readFile(join(root, 'package-lock.json'), 'utf8')) as {
      packages: Record<string, { version?: string }>
    }
    const newest = /const VERSION = '([^']+)'/.exec(
      await readFile(join(root, 'test/company/hocuspocus-4.test.ts'), 'utf8'),
    )?.[1]
    const rows = await readRows()
    assert.equal(rows.length, 14)
    assert.deepEqual(
      rows,
      rows.map(({ name }) => {
        const version = packages[`node_modules/${name}`]?.version
        return { name, versions: name === '@hocuspocus/server' ? [version, newest] : [version] }
      }),
    )
  })

  it('has none that no test uses', async () => {
    const tests = await readTests()
    // autoload and fastify-cli are used by a project that a test writes.
    const unused = (await readRows()).filter(
      ({ name }) => !tests.includes(`${name}/`) && !tests.includes(`'${name}'`),
    )
    assert.deepEqual(unused, [])
  })
})
