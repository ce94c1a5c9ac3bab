import { join } from 'node:path'
import { freePorts } from '../../node/host/testing/free-ports.ts'
import { absent, countUntil, find, outputOf, Program } from './program.ts'
import type { SystemKind } from './system.ts'

export const etcd: SystemKind = {
  name: 'etcd',
  missing: () => absent('etcd', 'etcd-server'),
  async start(directory) {
    const program = find('etcd')!
    const ports = await freePorts(6)
    const members = [0, 1, 2].map((at) => ({
      name: `etcd${at + 1}`,
      url: `http://127.0.0.1:${ports[at * 2]}`,
      peerUrl: `http://127.0.0.1:${ports[at * 2 + 1]}`,
    }))
    const programs = members.map(
      ({ name, url, peerUrl }) =>
        new Program(
          [
            ...[program, '--name', name, '--data-dir', join(directory, name)],
            ...['--listen-client-urls', url, '--advertise-client-urls', url],
            ...['--listen-peer-urls', peerUrl, '--initial-advertise-peer-urls', peerUrl],
            ...['--initial-cluster', members.map((m) => `${m.name}=${m.peerUrl}`).join(',')],
            ...['--log-level', 'error', '--quota-backend-bytes', String(8 * 2 ** 30)],
          ],
          { directory, name },
        ),
    )
    const stop = async () => {
      await Promise.all(programs.map((each) => each.stop()))
    }
    try {
      const url = await programs[0]!.until(() => leaderOf(members.map((member) => member.url)))
      return {
        version: /etcd Version: (\S+)/.exec(outputOf(program, '--version'))![1]!,
        fsync: 'fdatasync on a majority before each acknowledgement (its default)',
        shape: 'put of distinct keys, gRPC',
        pids: programs.map(({ pid }) => pid),
        url,
        held: (acknowledged) => countUntil(acknowledged, () => countKeys(url)),
        stop,
      }
    } catch (error) {
      await stop()
      throw error
    }
  },
}

/** Of all three, once they agree. */
async function leaderOf(urls: readonly string[]): Promise<string | null> {
  const states = await Promise.all(
    urls.map((url) =>
      ask<{ header: { member_id: string }; leader?: string }>(url, 'maintenance/status', {}),
    ),
  )
  const leader = states[0]?.leader
  if (leader === undefined || leader === '0') return null
  if (states.some((state) => state.leader !== leader)) return null
  return urls[states.findIndex((state) => state.header.member_id === leader)] ?? null
}

/** A linearizable count of all keys. */
async function countKeys(url: string): Promise<number> {
  const everything = Buffer.from([0]).toString('base64')
  const request = { key: everything, range_end: everything, count_only: true }
  return Number((await ask<{ count?: string }>(url, 'kv/range', request)).count ?? 0)
}

/** The gateway that speaks JSON for what is not measured. */
async function ask<T>(url: string, path: string, request: object): Promise<T> {
  const response = await fetch(`${url}/v3/${path}`, {
    method: 'POST',
    body: JSON.stringify(request),
    signal: AbortSignal.timeout(10_000),
  })
  if (!response.ok) throw new Error(`etcd answered ${response.status} to ${path}`)
  return (await response.json()) as T
}
