import { beforeEach, expect, test } from 'vitest'
import type { PeerRelays } from '../processes/peer-relays.ts'
import { BrokenCluster, type DrilledCluster } from './broken-cluster.ts'

let done: string[]
let cut: Map<string, readonly string[]>
let broken: BrokenCluster

beforeEach(() => {
  done = []
  cut = new Map()
  broken = new BrokenCluster(clusterOf(5))
})

function clusterOf(size: number): DrilledCluster {
  const relays = {
    cut: ([node]: string[], others: string[]) => void cut.set(node!, others),
    heal: (node?: string) => void (node === undefined ? cut.clear() : cut.delete(node)),
    cutOff: (node: string) =>
      [...cut].flatMap(([one, others]) =>
        one === node ? others : others.includes(node) ? [one] : [],
      ),
  }
  return {
    nodes: Array.from({ length: size }, (_, at) => ({ name: `n${at + 1}` })),
    relays: relays as unknown as PeerRelays,
    start: async (name) => void done.push(`start ${name}`),
    signal: async (name, signal) => void done.push(`${signal} ${name}`),
  }
}

test('the leader, a follower that reaches it, and half of the nodes with the leader', async () => {
  expect(await broken.perform({ do: 'partition', node: 'leader' }, 'n2')).toEqual(['n2'])
  expect(broken.faultsOf('n2')).toEqual(['partition'])
  expect(broken.reachesMajority('n2')).toBe(false)
  expect(broken.hasMajority).toBe(true)
  for (let at = 0; at < 3; at += 1) {
    const [follower] = await broken.perform({ do: 'pause', node: 'follower' }, 'n5')
    expect(['n1', 'n3', 'n4']).toContain(follower)
  }
  expect(broken.hasMajority).toBe(false)
  await expect(broken.perform({ do: 'kill', node: 'follower' }, 'n5')).rejects.toThrow(
    'cannot kill a follower: too few nodes are left',
  )
  await broken.mend()
  expect(broken.isWhole).toBe(true)
  const half = await broken.perform({ do: 'partition', node: 'half' }, 'n4')
  expect([half[0], half.length]).toEqual(['n4', 2])
  expect(broken.hasMajority).toBe(true)
})

test('half of an even number leaves no majority anywhere', async () => {
  const four = new BrokenCluster(clusterOf(4))
  expect(await four.perform({ do: 'partition', node: 'half' }, 'n1')).toHaveLength(2)
  expect(four.hasMajority).toBe(false)
})

test('what does not fit is refused and nothing is done; what is left is mended', async () => {
  await broken.perform({ do: 'kill', node: 'n1' }, null)
  await broken.perform({ do: 'pause', node: 'n3' }, null)
  await broken.perform({ do: 'stop', node: 'n2' }, null)
  for (const [step, why] of [
    [{ do: 'kill', node: 'n1' }, 'cannot kill n1: it is down; start it first'],
    [{ do: 'stop', node: 'n3' }, 'cannot stop n3: it is paused; resume it first'],
    [{ do: 'pause', node: 'leader' }, 'cannot pause the leader: no node leads'],
    [{ do: 'start', node: 'n3' }, 'cannot start n3: n3 is not down'],
    [{ do: 'heal' }, 'cannot heal any node: none is cut off'],
  ] as const) {
    await expect(broken.perform(step, null)).rejects.toThrow(why)
  }
  expect(done.splice(0)).toEqual(['SIGKILL n1', 'SIGSTOP n3', 'SIGTERM n2'])
  await broken.mend()
  expect(done).toEqual(['SIGCONT n3', 'start n1', 'start n2'])
  expect(broken.isWhole).toBe(true)
})
