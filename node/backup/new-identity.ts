import type { Random } from '#cluster'

/** Of a cluster that goes on from another one's content: compared for equality alone (rule K8). */
export function newIdentity(random: Random): {
  readonly clusterId: string
  readonly epoch: string
} {
  const hex = (length: number) => Buffer.from(random.bytes(length)).toString('hex')
  return { clusterId: hex(16), epoch: hex(8) }
}
