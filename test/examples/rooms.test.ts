// The example with rooms, and with users who have several tabs.
import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import type { Peer } from '../../lib/testing/index.js'
import { refusal } from '../support/peers/client.js'
import { assertSilent, reach } from '../support/peers/heard.js'
import { run, serve } from './run.js'

/** A client who has been told who is online. */
async function enter(
  ws: string,
  room: string,
  user: string,
  online: string[],
): Promise<Peer<string>> {
  const client = await reach(`${ws}/rooms/${room}?user=${user}`)
  assert.deepEqual(await told(client), { online })
  return client
}

async function told(client: Peer<string>): Promise<unknown> {
  return JSON.parse(await client.next())
}

async function onlineIn(http: string, room: string): Promise<unknown> {
  return (await fetch(`${http}/rooms/${room}/online`)).json()
}

describe('examples/rooms.ts', () => {
  it('brings a message to everybody in the room, and to nobody else', async (t) => {
    const { http, ws } = await run(t, 'rooms')
    const ada = await enter(ws, 'tea', 'ada', ['ada'])
    const bob = await enter(ws, 'tea', 'bob', ['ada', 'bob'])
    const eve = await enter(ws, 'coffee', 'eve', ['eve'])
    assert.deepEqual(await told(ada), { joined: 'bob' })
    assert.deepEqual(await onlineIn(http, 'tea'), ['ada', 'bob'])
    assert.deepEqual(await onlineIn(http, 'coffee'), ['eve'])

    bob.send('more milk?')
    for (const client of [ada, bob]) {
      assert.deepEqual(await told(client), { from: 'bob', text: 'more milk?' })
    }
    eve.send('sugar?')
    assert.deepEqual(await told(eve), { from: 'eve', text: 'sugar?' })
    for (const client of [eve, ada]) await assertSilent(client)
  })

  it('tells once that a user has come, and once that the last tab is gone', async (t) => {
    const { http, ws } = await serve(t, 'rooms')
    const bob = await enter(ws, 'tea', 'bob', ['bob'])
    const tabs = [await enter(ws, 'tea', 'ada', ['bob', 'ada'])]
    tabs.push(await enter(ws, 'tea', 'ada', ['bob', 'ada']))
    assert.deepEqual(await told(bob), { joined: 'ada' })

    await tabs[0]?.close()
    tabs[1]?.send('one of me is here')
    assert.deepEqual(await told(bob), { from: 'ada', text: 'one of me is here' })
    assert.deepEqual(await onlineIn(http, 'tea'), ['bob', 'ada'])

    // Without a close frame, as when the network is gone.
    tabs[1]?.drop()
    assert.deepEqual(await told(bob), { left: 'ada' })
    assert.deepEqual(await onlineIn(http, 'tea'), ['bob'])

    await enter(ws, 'tea', 'ada', ['bob', 'ada'])
    assert.deepEqual(await told(bob), { joined: 'ada' })
  })

  it('handles the last message of a user before it tells that they have left', async (t) => {
    const { ws } = await serve(t, 'rooms')
    const bob = await enter(ws, 'tea', 'bob', ['bob'])
    const ada = await enter(ws, 'tea', 'ada', ['bob', 'ada'])
    assert.deepEqual(await told(bob), { joined: 'ada' })
    ada.send('goodbye')
    void ada.close()
    assert.deepEqual(await told(bob), { from: 'ada', text: 'goodbye' })
    assert.deepEqual(await told(bob), { left: 'ada' })
  })

  it('keeps nothing of a room that is empty', async (t) => {
    const { http, ws } = await serve(t, 'rooms')
    const ada = await enter(ws, 'tea', 'ada', ['ada'])
    void ada.close()
    // The server may see that she has left a moment later than she does.
    let online: unknown = ['ada']
    while (JSON.stringify(online) !== '[]') online = await onlineIn(http, 'tea')
    await enter(ws, 'tea', 'bob', ['bob'])
  })

  it('lets in nobody without a name', async (t) => {
    const { ws } = await serve(t, 'rooms')
    for (const query of ['', '?user=', '?name=ada']) {
      assert.equal((await refusal(`${ws}/rooms/tea${query}`)).status, 400, query)
    }
  })
})
