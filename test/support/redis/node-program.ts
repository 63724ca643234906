// A node in a process of its own. Says what it is told; with HOLDS, it never gets done with a dead node.
import { never } from '../time/gate.js'
import { startNode } from './nodes.js'

const { PORT = '', LEASE = '', HOLDS } = process.env

const { node } = await startNode(
  { after: () => {} },
  Number(PORT),
  { lease: Number(LEASE), clean: async () => (HOLDS === undefined ? undefined : never) },
  (what) => {
    console.log(what)
    if (what === 'write') console.log(`node ${node.id} fence ${node.fence}`)
  },
)
