// The example whose processes are let go by node:cluster, or by their parent.
import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import type { Peer } from '../../lib/testing/index.js'
import { reach, untilEnd } from '../support/peers/heard.js'
import { addressIn, type Program, start } from '../support/servers/program.js'
import { run } from './run.js'

const RESTART = ['close 1012 service restart']

/** A client, and the process that serves it. */
async function greeted(url: string): Promise<{ client: Peer<string>; pid: number }> {
  const client = await reach(url)
  return { client, pid: Number(/^hello from (\d+)$/.exec(await client.next())?.[1]) }
}

/** How many lines of a program that has ended have this message. */
async function count(program: Program, msg: string): Promise<number> {
  const { stdout } = await program.exited
  return stdout.filter((line) => line.includes(`"msg":"${msg}"`)).length
}

describe('examples/cluster.ts', () => {
  it('replaces its workers, and ends with them: clients hear 1012, and cleanups are done', async (t) => {
    const { program, ws } = await run(t, 'cluster')
    await program.line('the primary is')
    const old = await Promise.all(Array.from({ length: 8 }, () => greeted(ws)))

    program.kill('SIGHUP')
    for (const { client } of old) assert.deepEqual(await untilEnd(client), RESTART)
    const gone = new Set(old.map(({ pid }) => pid))
    const next = await greeted(ws)
    assert.ok(!gone.has(next.pid))

    program.kill('SIGTERM')
    assert.deepEqual(await untilEnd(next.client), RESTART)
    const { code, stderr } = await program.exited
    assert.deepEqual({ code, stderr }, { code: 0, stderr: '' })
    assert.equal(await count(program, 'presence saved'), old.length + 1)
  })
})

describe('the app of examples/cluster.ts, as a child of child_process.fork()', () => {
  for (const [how, signal] of [
    ['disconnects it', 'SIGTERM'],
    ['has been killed', 'SIGKILL'],
  ] as const) {
    it(`drains when its parent ${how}`, async (t) => {
      const program = start(t, 'test/examples/forked.ts')
      const { host } = addressIn(await program.line('Server listening at http://127.0.0.1'))
      const { client } = await greeted(`ws://${host}`)
      program.kill(signal)
      assert.deepEqual(await untilEnd(client), RESTART)
      await program.exited
      assert.equal(await count(program, 'presence saved'), 1)
    })
  }
})
