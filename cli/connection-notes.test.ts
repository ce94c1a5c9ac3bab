import { setTimeout as delay } from 'node:timers/promises'
import { expect, test } from 'vitest'
import type { ConnectionStatus } from '#client'
import { noteConnection } from './connection-notes.ts'

const connected = (node: string): ConnectionStatus => ({
  state: 'connected',
  url: 'ws://x',
  node,
  leader: null,
})
const lost = (reason: string): ConnectionStatus => ({
  state: 'disconnected',
  reason,
  retryInMs: 1,
})
const connecting: ConnectionStatus = { state: 'connecting', url: 'ws://x' }
const closed: ConnectionStatus = { state: 'closed', reason: 'done', error: null }

async function notesOf(statuses: readonly (ConnectionStatus | 'a while')[]): Promise<string[]> {
  const notes: string[] = []
  async function* status(): AsyncGenerator<ConnectionStatus, void, undefined> {
    for (const one of statuses) {
      if (one === 'a while') await delay(30)
      else yield one
    }
  }
  await noteConnection({ status }, (line) => notes.push(line), 5)
  await delay(10)
  return notes
}

test('a connection lost for a while is told once, and its return', async () => {
  const notes = await notesOf([
    connected('n1'),
    lost('closed by the node'),
    'a while',
    connecting,
    lost('refused'),
    'a while',
    connecting,
    connected('n2'),
    closed,
  ])
  expect(notes).toEqual([
    'parley: the connection is lost (closed by the node); looking for a node …',
    'parley: connected again, to n2',
  ])
})

test('a connection found again at once, and the end, are not worth a word', async () => {
  expect(await notesOf([connected('n1'), lost('x'), connecting, connected('n2'), closed])).toEqual(
    [],
  )
  expect(await notesOf([connected('n1'), lost('x'), closed])).toEqual([])
})
