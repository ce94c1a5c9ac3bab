import { spawnSync } from 'node:child_process'
import { readFileSync } from 'node:fs'
import { setTimeout as delay } from 'node:timers/promises'
import { isAlive, readLeftover, removeControlFile } from './control-file.ts'

const DRAIN_MS = 10_000

/**
 * Ends the nodes that a killed supervisor left behind: paused ones could not notice that it had
 * gone. Only processes that still run a node of this directory are touched.
 * Returns how many there were.
 */
export async function endLeftovers(directory: string): Promise<number> {
  const left = readLeftover(directory)
  if (left === null) return 0
  const pids = left.nodes
    .map(({ pid }) => pid)
    .filter((pid) => pid !== null)
    .filter((pid) => isAlive(pid) && commandLine(pid).includes(directory))
  for (const pid of pids) {
    signal(pid, 'SIGTERM')
    signal(pid, 'SIGCONT')
  }
  const deadline = performance.now() + DRAIN_MS
  while (pids.some(isAlive) && performance.now() < deadline) await delay(50)
  for (const pid of pids) signal(pid, 'SIGKILL')
  while (pids.some(isAlive)) await delay(20)
  removeControlFile(directory)
  return pids.length
}

function commandLine(pid: number): string {
  try {
    return readFileSync(`/proc/${pid}/cmdline`, 'utf8').replaceAll('\0', ' ')
  } catch {
    return spawnSync('ps', ['-o', 'command=', '-p', String(pid)], { encoding: 'utf8' }).stdout ?? ''
  }
}

function signal(pid: number, name: NodeJS.Signals): void {
  try {
    process.kill(pid, name)
  } catch {
    // It has gone by itself.
  }
}
