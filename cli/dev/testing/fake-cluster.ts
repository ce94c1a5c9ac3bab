import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import type { DevNode } from '../layout.ts'
import { freePorts } from '../../../node/host/testing/free-ports.ts'

const SCRIPT = fileURLToPath(new URL('fake-node.mjs', import.meta.url))

/** A folder that the test removes. */
export function temporaryDirectory(): { path: string; remove(): void } {
  const path = mkdtempSync(join(tmpdir(), 'parley-dev-'))
  return { path, remove: () => rmSync(path, { recursive: true, force: true }) }
}

export async function fakeNodes(directory: string, count: number): Promise<DevNode[]> {
  const ports = await freePorts(count * 2)
  return ports.slice(0, count).map((port, i) => ({
    name: `n${i + 1}`,
    url: `http://127.0.0.1:${port}`,
    listen: `127.0.0.1:${port}`,
    peerAddress: `127.0.0.1:${ports[count + i]}`,
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
