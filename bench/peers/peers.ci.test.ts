import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { expect, onTestFinished, test } from 'vitest'
import { runLoad } from '../load/run-load.ts'
import { etcd } from './etcd.ts'
import { nats } from './nats.ts'
import { parley } from './parley.ts'
import { rabbitmq } from './rabbitmq.ts'
import { runRounds } from './rounds.ts'
import type { SystemKind } from './system.ts'

const TIMEOUT_MS = 180_000

async function temporaryDirectory(): Promise<string> {
  const directory = await mkdtemp(join(tmpdir(), 'parley-peers-'))
  onTestFinished(() => rm(directory, { recursive: true, force: true }))
  return directory
}

function lacking(kind: SystemKind): boolean {
  const missing = kind.missing()
  if (missing !== null) process.stderr.write(`skipped: ${missing}\n`)
  return missing !== null
}

for (const kind of [parley, etcd, nats, rabbitmq]) {
  test.skipIf(lacking(kind))(
    `${kind.name} holds each acknowledged message once`,
    { timeout: TIMEOUT_MS },
    async () => {
      const system = await kind.start(await temporaryDirectory())
      onTestFinished(() => system.stop())
      expect(system.version).toMatch(/^\d+\.\d+\.\d+/)
      const result = await runLoad({
        target: kind.name,
        url: system.url,
        connections: 4,
        inFlight: 5,
        conversations: 40,
        bodyBytes: 256,
        warmupMs: 100,
        durationMs: 60_000,
        messages: 2_000,
      })
      expect(result.errors).toEqual({})
      expect(result.stored).toBeGreaterThanOrEqual(2_000)
      expect(await system.held(result.stored)).toBe(result.stored)
    },
  )
}

test(
  'a system that holds less than it acknowledged ends the run',
  { timeout: TIMEOUT_MS },
  async () => {
    const forgetful: SystemKind = {
      ...parley,
      async start(directory) {
        const system = await parley.start(directory)
        return { ...system, held: async (acknowledged) => (await system.held(acknowledged)) - 1 }
      },
    }
    const run = runRounds({
      kinds: [forgetful],
      rounds: 1,
      inFlight: [10],
      load: { bodyBytes: 256, warmupMs: 0, durationMs: 200 },
      directory: await temporaryDirectory(),
    })
    await expect(run).rejects.toThrow(/parley acknowledged \d+ messages and holds \d+/)
  },
)
