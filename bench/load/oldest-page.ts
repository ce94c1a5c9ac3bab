import type { ProcessCluster } from '../../chaos/processes/process-cluster.ts'
import { WireClient } from '../../chaos/workload/wire-client.ts'

/** Whether every node still has the first message of a load (`load-client.ts`) as it was sent. */
export async function oldestPageIsRight(
  cluster: ProcessCluster,
  bodyBytes: number,
): Promise<boolean> {
  for (const { url } of cluster.nodes) {
    const client = await WireClient.connect(url, 'sender-0', 'reader')
    const direct = await client.request({
      t: 'conv:R',
      op: 'direct',
      with: 'peer-0-1',
      msgId: 'look',
    })
    const { id } = direct!.conversation as { id: string }
    const page = await client.request({ t: 'pull:R', conv: id, after: 0, limit: 1 })
    client.close()
    const [event] = (page?.events ?? []) as { seq: number; body: string; from: string }[]
    const right = event?.seq === 1 && event.from === 'sender-0' && event.body.length === bodyBytes
    if (!right) return false
  }
  return true
}
