// The app of examples/cluster.ts in a child of child_process.fork(), which its parent lets go: by disconnecting it
// when it gets a SIGTERM, or by ending.
import { fork } from 'node:child_process'
import { build } from '../../examples/cluster.js'

if (process.send === undefined) {
  const child = fork(import.meta.filename)
  child.on('exit', (code) => console.log(`the child has ended: ${String(code)}`))
  process.once('SIGTERM', () => child.disconnect())
} else {
  await (await build()).listen({ port: 0 })
}
