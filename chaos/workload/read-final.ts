import type { WireEvent } from '../history/history.ts'
import { WireClient } from './wire-client.ts'

const PAGE = 500

/** Reads a whole conversation from one node, page by page, linearizable: complete or an error. */
export async function readFinal(options: {
  node: string
  url: string
  conv: string
  user: string
}): Promise<{ node: string; conv: string; events: readonly WireEvent[] }> {
  const { node, url, conv, user } = options
  const client = await WireClient.connect(url, user, `reader-${node}`)
  try {
    const events: WireEvent[] = []
    for (let after = 0; ;) {
      const page = await client.request({
        t: 'pull:R',
        conv,
        after,
        limit: PAGE,
        read: 'linearizable',
      })
      if (page === null) throw new Error(`${node} did not answer a pull of ${conv}`)
      if (page.error !== undefined)
        throw new Error(`${node}: ${page.error.code} ${page.error.message}`)
      events.push(...(page.events as WireEvent[]))
      if (page.hasMore !== true) return { node, conv, events }
      after = page.next as number
    }
  } finally {
    client.close()
  }
}
