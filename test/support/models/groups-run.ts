// One schedule of groups: what a plain loop over a list of members would have sent, and to whom.
import assert from 'node:assert/strict'
import type { Group } from '../../../lib/index.js'
import { turns } from '../time/fake-clock.js'
import { until } from '../time/timed.js'
import { type Command, type CommandToOne, GROUPS, KINDS } from './groups-commands.js'
import type { GroupGuest } from './groups-guests.js'
import type { GroupsWorld } from './groups-world.js'

export class GroupsRun {
  readonly #world: GroupsWorld
  /** In the order in which they came. */
  readonly #members = new Map<string, GroupGuest[]>(GROUPS.map((name) => [name, []]))
  #count = 0

  constructor(world: GroupsWorld) {
    this.#world = world
    for (const guest of world.guests) this.#join(guest, 'a')
  }

  async do(command: Command): Promise<void> {
    await this.#act(command)
    for (const name of GROUPS) this.#compare(name)
  }

  /** All has arrived. Who is closed may miss the last messages, if its line was cut. */
  async finish(): Promise<void> {
    const { app, guests } = this.#world
    await turns()
    this.#world.clock.step = 0
    for (const guest of guests) await guest.comeBack()
    await until(() => guests.every((one) => one.heard.length >= one.expected.length || !one.isOpen))
    for (const [index, { expected, heard, isOpen }] of guests.entries()) {
      const wanted = isOpen ? expected : expected.slice(0, heard.length)
      assert.deepEqual(heard.map(headOf), wanted.map(headOf), KINDS[index % KINDS.length])
    }
    for (const name of GROUPS) {
      const members = this.#membersOf(name)
      await until(() => app.websocketLifecycle.group(name).size === members.length)
      for (const { face } of members) assert.ok(face.groups.includes(name))
    }
    await this.#world.clear()
    assert.deepEqual(
      guests.map(({ groupsAtEnd }) => groupsAtEnd),
      guests.map(() => []),
      'the groups of a member in its onClose',
    )
    assert.equal(app.websocketLifecycle.groups.size, 0)
  }

  async #act(command: Command): Promise<void> {
    if ('member' in command && command.does !== 'tell others') {
      return this.#toOne(this.#guest(command.member), command)
    }
    switch (command.does) {
      case 'tell all':
        return this.#tell(command.group, this.#text(command.size))
      case 'tell others':
        return this.#tell(command.group, this.#text(command.size), this.#guest(command.member))
      case 'close all':
        for (const guest of this.#membersOf(command.group)) guest.isOpen = false
        return this.#group(command.group).close(4001)
      case 'turn':
        return turns(command.count)
    }
    return undefined
  }

  async #toOne(guest: GroupGuest, command: CommandToOne): Promise<void> {
    switch (command.does) {
      case 'tell one': {
        const text = this.#text(command.size)
        if (guest.isOpen) guest.expected.push(text)
        guest.face.send(text)
        return
      }
      case 'join':
        return this.#join(guest, command.group)
      case 'leave': {
        const wasMember = this.#membersOf(command.group).includes(guest)
        const isRemoved = this.#group(command.group).delete(guest.face)
        // Who is being closed is a member until it is.
        assert.ok(isRemoved === wasMember || !guest.isOpen)
        this.#remove(guest, command.group)
        return
      }
      case 'cut':
        return guest.cut()
      case 'vanish':
        // A session's client comes back.
        if (!('suspended' in guest.face)) await this.#vanish(guest)
        return
      case 'close':
        guest.isOpen = false
        return guest.face.close(4000)
      case 'terminate':
        guest.isOpen = false
        guest.face.terminate()
    }
  }

  async #vanish(guest: GroupGuest): Promise<void> {
    guest.leave()
    await until(() => guest.groupsAtEnd !== undefined)
    guest.isOpen = false
  }

  #join(guest: GroupGuest, name: string): void {
    assert.equal(this.#group(name).add(guest.face), guest.isOpen)
    const members = this.#members.get(name) ?? []
    if (guest.isOpen && !members.includes(guest)) members.push(guest)
  }

  #remove(guest: GroupGuest, name: string): void {
    this.#members.set(
      name,
      this.#membersOf(name).filter((one) => one !== guest),
    )
  }

  #tell(name: string, text: string, except?: GroupGuest): void {
    const all = this.#membersOf(name).filter((one) => one !== except)
    for (const { expected } of all) expected.push(text)
    const result = this.#group(name).send(text, { except: except?.face })
    assert.deepEqual(result, { sent: all.length, dropped: 0 })
  }

  /** Those who are open are members, in their order; nobody else is, but who is still to be closed. */
  #compare(name: string): void {
    const group = this.#group(name)
    const members = this.#membersOf(name)
    const open = this.#world.guests.filter(({ isOpen }) => isOpen).map(({ face }) => face)
    const found = [...group].filter((face) => open.includes(face))
    assert.ok(group.size >= members.length, `${group.size} in ${name}`)
    assert.deepEqual(
      found.map((face) => open.indexOf(face)),
      members.map(({ face }) => open.indexOf(face)),
      `the members of ${name}`,
    )
    for (const { face } of members) assert.ok(group.has(face))
  }

  #membersOf(name: string): GroupGuest[] {
    return (this.#members.get(name) ?? []).filter(({ isOpen }) => isOpen)
  }

  #group(name: string): Group {
    return this.#world.app.websocketLifecycle.group(name)
  }

  #guest(member: number): GroupGuest {
    return this.#world.guests[member] as GroupGuest
  }

  #text(size: number): string {
    return `m${this.#count++} `.padEnd(size, 'x')
  }
}

const headOf = (text: string): string => text.slice(0, 6)
