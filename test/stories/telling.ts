import type { AddressInfo } from 'node:net'
import type { FastifyInstance } from 'fastify'

/** Tells the test one thing. */
export function tell(line: string): void {
  process.stdout.write(`${line}\n`)
}

/** Listens on loopback, and tells the port. */
export async function listen(app: FastifyInstance): Promise<void> {
  await app.listen({ host: '127.0.0.1', port: 0 })
  tell(String((app.server.address() as AddressInfo).port))
}
