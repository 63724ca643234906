// `npm start` as terminals and supervisors stop it: its whole process group gets the signal, and npm passes its own on.
import assert from 'node:assert/strict'
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, it, type TestContext } from 'node:test'
import { onSignal, SIGNALS } from '../../examples/demo/signals.js'
import { addressIn } from '../support/servers/program.js'
import { env, root } from '../support/servers/tarball.js'
import { Visitor } from './demo.js'

interface Group {
  readonly url: string
  kill(signal: NodeJS.Signals): void
  /** All that was said, once nobody is left to say anything. */
  readonly said: Promise<string>
}

async function npmStart(t: TestContext): Promise<Group> {
  const child = spawn('npm', ['start'], {
    cwd: root,
    env: { ...env, PORT: '0' },
    detached: true, // a group of its own
    stdio: ['ignore', 'pipe', 'pipe'],
  })
  const kill = (signal: NodeJS.Signals): void => void process.kill(-(child.pid as number), signal)
  let text = ''
  const isOpen = new Promise<void>((resolve) => {
    for (const stream of [child.stdout, child.stderr]) {
      stream.on('data', (data: Buffer) => {
        text += data.toString()
        if (text.includes('(Ctrl+C closes it)')) resolve()
      })
    }
  })
  const isOver = once(child, 'close')
  t.after(async () => {
    try {
      kill('SIGKILL')
    } catch {
      // nobody is left
    }
    await isOver
  })
  await Promise.race([isOpen, isOver])
  return { url: addressIn(text).origin, kill, said: isOver.then(() => text) }
}

describe('a signal to the process group of npm start', () => {
  for (const signal of ['SIGTERM', 'SIGINT'] as const) {
    it(`drains once: ${signal}`, async (t) => {
      const group = await npmStart(t)
      const visitor = await Visitor.enter(group.url)
      group.kill(signal) // npm gets it too, and passes it on: it comes twice
      assert.equal((await visitor.client.closed).code, 1012)
      const said = await group.said
      assert.match(said, /The demo is closed: 3 ended in \d+ ms\n/)
      assert.doesNotMatch(said, /second|once more/)
    })
  }
})

describe('the signals of npm start', () => {
  // The command tsx kills what has not told it within 60 ms that it heard the signal: on a busy machine, a drain.
  it('reach the demo itself, with nobody between who would kill it', () => {
    const { scripts } = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8')) as {
      scripts: Record<string, string>
    }
    for (const name of ['start', 'start:cluster']) assert.match(scripts[name] ?? '', /^node /)
  })

  it('stop it once, however many come within a second; one that comes later ends it', (t) => {
    let now = 10_000
    let stops = 0
    t.mock.method(performance, 'now', () => now)
    t.mock.method(console, 'error', () => {})
    const exit = t.mock.method(process, 'exit', () => undefined as never)
    const before = SIGNALS.map((signal) => process.listeners(signal))
    onSignal(() => stops++)
    t.after(() => {
      SIGNALS.forEach((signal, i) => {
        for (const listener of process.listeners(signal)) {
          if (!before[i]?.includes(listener)) process.off(signal, listener)
        }
      })
    })
    for (const signal of [...SIGNALS, ...SIGNALS]) {
      process.emit(signal)
      now += 150
    }
    assert.deepEqual([stops, exit.mock.callCount()], [1, 0])
    now += 200
    process.emit('SIGINT')
    assert.equal(stops, 1)
    assert.deepEqual(exit.mock.calls[0]?.arguments, [1])
  })
})
