import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { spawnSync } from 'node:child_process'
import { connect, type NatsConnection } from '@nats-io/transport-node'
import { freePorts } from '../../node/host/testing/free-ports.ts'
import { absent, countUntil, find, outputOf, Program } from './program.ts'
import type { SystemKind } from './system.ts'

interface StreamInfo {
  readonly error?: { readonly description: string }
  readonly state?: { readonly messages: number }
  readonly cluster?: {
    readonly leader?: string
    readonly replicas?: readonly { readonly current: boolean }[]
  }
}

const STREAM = {
  name: 'MESSAGES',
  subjects: ['msg.>'],
  storage: 'file',
  num_replicas: 3,
  retention: 'limits',
  discard: 'old',
  max_consumers: -1,
  max_msgs: -1,
  max_bytes: -1,
  max_age: 0,
}

export const nats: SystemKind = {
  name: 'nats',
  missing: () => absent('nats-server', 'nats-server'),
  async start(directory) {
    const program = find('nats-server')!
    const ports = await freePorts(6)
    const servers = [0, 1, 2].map((at) => ({
      name: `nats${at + 1}`,
      address: `127.0.0.1:${ports[at * 2]}`,
      peerAddress: `127.0.0.1:${ports[at * 2 + 1]}`,
    }))
    const routes = servers.map(({ peerAddress }) => `nats://${peerAddress}`).join(', ')
    const configure = async (always: boolean) => {
      for (const { name, address, peerAddress } of servers) {
        await writeFile(
          join(directory, `${name}.conf`),
          `server_name: ${name}
listen: "${address}"
cluster { name: peers, listen: "${peerAddress}", routes: [ ${routes} ] }
jetstream {
  store_dir: "${join(directory, name)}", max_memory_store: 256MB, max_file_store: 16GB
  ${always ? 'sync_interval: always' : ''}
}
`,
        )
      }
    }
    // Only newer versions can sync before they acknowledge: the server itself says whether it can.
    await configure(true)
    const check = ['-t', '-c', join(directory, 'nats1.conf')]
    const always = spawnSync(program, check, { stdio: 'ignore', timeout: 10_000 }).status === 0
    if (!always) await configure(false)
    const programs = servers.map(
      ({ name }) =>
        new Program([program, '-c', join(directory, `${name}.conf`)], { directory, name }),
    )
    let control: NatsConnection | null = null
    const stop = async () => {
      await control?.close()
      await Promise.all(programs.map((each) => each.stop()))
    }
    try {
      const first = programs[0]!
      const asked = await first.until(() => connect({ servers: servers[0]!.address }))
      control = asked
      await first.until(async () => ready(await streamApi(asked, 'CREATE', STREAM)))
      const leader = await first.until(async () => ready(await streamApi(asked, 'INFO')))
      return {
        version: /v(\d\S*)/.exec(outputOf(program, '--version'))![1]!,
        fsync: always
          ? 'before each acknowledgement (sync_interval: always; its default is every two minutes)'
          : 'NOT before the acknowledgement: by a timer of minutes, and this version cannot be told to',
        shape: 'publish to a stream of 3 replicas, file storage',
        pids: programs.map(({ pid }) => pid),
        url: `nats://${servers.find(({ name }) => name === leader)!.address}`,
        held: (acknowledged) =>
          countUntil(
            acknowledged,
            async () => (await streamApi(asked, 'INFO')).state?.messages ?? 0,
          ),
        stop,
      }
    } catch (error) {
      await stop()
      throw error
    }
  },
}

async function streamApi(
  client: NatsConnection,
  verb: 'CREATE' | 'INFO',
  request: object = {},
): Promise<StreamInfo> {
  const subject = `$JS.API.STREAM.${verb}.${STREAM.name}`
  const answer = await client.request(subject, JSON.stringify(request), { timeout: 5_000 })
  return answer.json<StreamInfo>()
}

/** The stream's leader, once both of its followers are with it. */
function ready({ cluster }: StreamInfo): string | null {
  const replicas = cluster?.replicas ?? []
  if (replicas.length !== 2 || !replicas.every(({ current }) => current)) return null
  return cluster?.leader ?? null
}
