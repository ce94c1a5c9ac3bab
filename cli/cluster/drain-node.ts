import { setTimeout as sleep } from 'node:timers/promises'
import { CliError, ExitCode } from '../exit-codes.ts'
import { type AdminCall, adminCall } from './admin-call.ts'

/** How far a drain is, as the node itself says. */
export interface DrainAnswer {
  readonly phase: 'serving' | 'leadership' | 'clients' | 'drained'
  readonly leads: boolean
  readonly clients: number
  readonly writes: number
  /** Voters that take over what the node has. */
  readonly refuges: readonly string[]
}

const LOOK_MS = 200

const pathOf = (node: string): string => `/v1/cluster/nodes/${encodeURIComponent(node)}/drain`

/** @throws CliError, with exit code 5 if nobody could take over */
export async function beginDrain(
  node: string,
  call: AdminCall,
  dryRun = false,
): Promise<DrainAnswer> {
  return (await adminCall(pathOf(node), { ...call, body: { dryRun } })) as unknown as DrainAnswer
}

export async function endDrain(node: string, call: AdminCall): Promise<DrainAnswer> {
  return (await adminCall(pathOf(node), { ...call, method: 'DELETE' })) as unknown as DrainAnswer
}

/** Resolves when the node is drained; `onLook` hears of each look. @throws CliError */
export async function waitDrained(
  node: string,
  call: AdminCall,
  onLook: (answer: DrainAnswer) => void,
): Promise<DrainAnswer> {
  const deadline = performance.now() + call.timeoutMs
  for (;;) {
    const answer = (await adminCall(pathOf(node), call)) as unknown as DrainAnswer
    onLook(answer)
    if (answer.phase === 'drained') return answer
    if (answer.phase === 'serving') {
      throw new CliError(ExitCode.failed, `${node} serves again: it was restarted or undrained`)
    }
    if (performance.now() > deadline) {
      const left = `${answer.clients} clients are left`
      throw new CliError(ExitCode.unhealthy, `${node} still drains (${answer.phase}, ${left})`)
    }
    await sleep(LOOK_MS)
  }
}

/** One line for people. */
export function drainLine(node: string, { phase, clients, writes, leads }: DrainAnswer): string {
  const counts = `clients ${clients} · writes ${writes}${leads ? ' · leads' : ''}`
  return `${node} ${phase} · ${counts}`
}
