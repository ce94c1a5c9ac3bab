import { expect, test } from 'vitest'
import { MemoryStoreDirectory } from '../store/memory-store-directory.ts'
import type { Command } from './commands.ts'
import { cursors, Machine, message } from './testing.ts'

const reach = (device: string, inbox: number, user = 'ben') =>
  ({ ...cursors(), inboxes: [{ user, device, inbox }] }) as Command

test('[A10] [B5] the cursor of a device rises up to the head; few devices are kept, and none for ever', async () => {
  const directory = new MemoryStoreDirectory()
  const settings = { devices: 2, deviceExpiryMs: 100 }
  const m = await Machine.open({ directory, settings, limits: { inboxes: 0 } })
  const devices = async (machine = m) =>
    (await machine.machine.reader.devicesOf('ben')).map(({ device, inbox }) => [device, inbox])
  for (const msgId of ['1', '2', '3']) await m.one(1, message({ user: 'ann', to: 'ben', msgId }))
  await m.one(2, reach('phone', 2))
  await m.one(3, reach('phone', 1))
  expect(await devices()).toEqual([['phone', 2]])
  await m.one(4, reach('phone', 99))
  expect(await devices()).toEqual([['phone', 3]])
  await m.machine.checkpoint()
  await m.one(5, reach('laptop', 1))
  await m.one(6, reach('tablet', 0))
  // Two are kept, those heard of last.
  expect(await devices()).toEqual([
    ['laptop', 1],
    ['tablet', 0],
  ])
  await m.machine.checkpoint()
  const again = await Machine.open({ directory: directory.reopened(), limits: { inboxes: 0 } })
  expect(await devices(again)).toEqual(await devices())
  await again.one(105, reach('phone', 1))
  expect(await devices(again)).toEqual([
    ['tablet', 0],
    ['phone', 1],
  ])
  // Whoever is in no conversation has no inbox that a device could be in.
  await again.one(106, reach('phone', 1, 'nobody'))
  expect(await again.machine.reader.devicesOf('nobody')).toEqual([])
  expect(again.machine.statistics.users).toBe(2)
})
