import { mkdtempSync, rmSync } from 'node:fs'
import { createServer } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import type { DevNode } from '../layout.ts'

const SCRIPT = fileURLToPath(new URL('fake-node.mjs', import.meta.url))

/** A folder that the test removes. */
export function temporaryDirectory(): { path: string; remove(): void } {
  const path = mkdtempSync(join(tmpdir(), 'parley-dev-'))
  return { path, remove: () => rmSync(path, { recursive: true, force: true }) }
}

/** Ports that were free a moment ago, all different. */
export async function freePorts(count: number): Promise<number[]> {
  const servers = await Promise.all(
    Array.from(
      { length: count },
      () =>
        new Promise<ReturnType<typeof createServer>>((resolve, reject) => {
          const server = createServer()
          server.once('error', reject)
          server.listen(0, '127.0.0.1', () => resolve(server))
        }),
    ),
  )
  const ports = servers.map((server) => (server.address() as { port: number }).port)
  await Promise.all(servers.map((server) => new Promise((resolve) => server.close(resolve))))
  return ports
}

export async function fakeNodes(directory: string, count: number): Promise<DevNode[]> {
  const ports = await freePorts(count)
  return ports.map((port, i) => ({
    name: `n${i + 1}`,
    url: `http://127.0.0.1:${port}`,
    listen: `127.0.0.1:${port}`,
    peerListen: `127.0.0.1:${port}`,
    dataDirectory: join(directory, `n${i + 1}`),
    logFile: join(directory, `n${i + 1}.log`),
  }))
}

export function fakeCommand(
  node: DevNode,
  all: readonly DevNode[],
  ...flags: string[]
): readonly string[] {
  const port = (one: DevNode) => new URL(one.url).port
  const members = all.map((one) => `${one.name}:${port(one)}`).join(',')
  return [
    process.execPath,
    SCRIPT,
    `--name=${node.name}`,
    `--port=${port(node)}`,
    `--data=${node.dataDirectory}`,
    `--members=${members}`,
    ...flags,
  ]
}
