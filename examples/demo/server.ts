// `npm start`: a server whose connections can be ended in every way, and that tells how.
import closeWithGrace from 'close-with-grace'
import { Demo } from './demo.js'
import { onSignal, SIGNALS } from './signals.js'

const { HOST: host = '127.0.0.1', PORT = '3000' } = process.env
const port = Number(PORT)

let demo: Demo
try {
  demo = await Demo.open({ host, port, regulars: 2, fastify: { logger: { level: 'warn' } } })
  console.log(`The demo is open at ${demo.url} (Ctrl+C closes it)`)
  console.log(`Operators watch it at ${demo.url}/admin`)
} catch (error) {
  console.error(explain(error))
  process.exit(1)
}

const { close } = closeWithGrace({ delay: 8_000, skip: [...SIGNALS] }, async ({ err }) => {
  if (err) console.error(err)
  const report = await demo.close()
  if (report === undefined) return
  const cut = report.terminated > 0 ? `, ${report.terminated} did not answer` : ''
  console.log(
    `The demo is closed: ${report.closed} ended in ${Math.round(report.duration)} ms${cut}`,
  )
})
onSignal(close)

function explain(error: unknown): string {
  const { code, message } = error as NodeJS.ErrnoException
  if (code === 'EADDRINUSE') {
    return `Port ${PORT} of ${host} is taken: stop what listens there, or choose another with PORT=${port + 1}`
  }
  if (code === 'ERR_SOCKET_BAD_PORT') {
    return `PORT is ${PORT}, but a port is a whole number from 0 to 65535`
  }
  return `The demo cannot open at ${host}, port ${PORT}: ${message}`
}
