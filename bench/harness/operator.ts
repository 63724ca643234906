/** Somebody who has the page for operators open: a client that hears what the page hears. */
import { once } from 'node:events'
import { WebSocket } from 'ws'
import { LifecycleClient } from '../../dist/client.js'
import type { Scenario } from './scenario.js'
import type { Server } from './server.js'

/** Has the page of each server open that has one, for as long as it is measured. */
export function watched(scenario: Scenario): Scenario {
  return {
    ...scenario,
    async measureInTurn(servers, size) {
      const withPage = servers.filter(({ name }) => name.endsWith('dashboard'))
      const pages = await Promise.all(withPage.map(openPage))
      try {
        return (await scenario.measureInTurn?.(servers, size)) ?? []
      } finally {
        for (const page of pages) page.close()
      }
    },
  }
}

async function openPage({ port }: Server): Promise<LifecycleClient> {
  const page = new LifecycleClient(`ws://127.0.0.1:${port}/admin/live`, { resume: true, WebSocket })
  await once(page, 'message')
  return page
}
