import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { existsSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import { CliError, ExitCode } from '../exit-codes.ts'
import { onStopSignals } from '../stop-signals.ts'

const PROGRAM = fileURLToPath(new URL('../../bench/peers.ts', import.meta.url))

/** Measures Parley beside other systems, which says itself what of them is not installed. */
export async function runPeers(words: readonly string[]): Promise<void> {
  if (!existsSync(PROGRAM)) {
    throw new CliError(
      ExitCode.failed,
      'this is the package: the drivers of etcd, NATS and RabbitMQ are in a clone only; type it there',
    )
  }
  const child = spawn(process.execPath, [PROGRAM, ...words], { stdio: 'inherit' })
  const end = () => void child.kill('SIGTERM')
  onStopSignals(['SIGINT', 'SIGTERM'], { stop: end, stopNow: end })
  const [code] = (await once(child, 'exit')) as [number | null]
  if (code === 0) return
  throw new CliError(code === ExitCode.usage ? ExitCode.usage : ExitCode.failed)
}
