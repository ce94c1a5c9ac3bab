import type { AdminCall } from '../cluster/admin-call.ts'
import { fetchView } from '../cluster/cluster-view.ts'
import { CliError, ExitCode } from '../exit-codes.ts'
import { tokenHeaders } from '../token-file.ts'

/** A node that has not shown itself within so long is not asked. */
const LOOK_MS = 5_000

/**
 * Where to ask for a backup, the best first: who does not lead has the least to do.
 *
 * @param node only from this one
 */
export async function backupUrls(call: AdminCall, node: string | undefined): Promise<string[]> {
  const { urls } = call
  const timeoutMs = Math.min(call.timeoutMs, LOOK_MS)
  const headers = tokenHeaders(call.tokenFile)
  const views = await Promise.all(
    urls.map(async (url) => ({ url, view: await fetchView(url, timeoutMs, headers) })),
  )
  const answering = views.flatMap(({ url, view }) => (view === null ? [] : [{ url, view }]))
  const members = answering.flatMap(({ view }) => view.members)
  if (node !== undefined) {
    const own = answering.filter(({ view }) => view.node === node).map(({ url }) => url)
    const told = members.filter(({ name }) => name === node).map(({ url }) => url)
    const found = [...new Set([...own, ...told])]
    if (found.length > 0) return found
    throw new CliError(ExitCode.failed, `no node that answers knows of ${node}: see parley status`)
  }
  const leader = answering.find(({ view }) => view.leader !== null)?.view.leader ?? null
  const followers = answering.filter(({ view }) => view.node !== leader).map(({ url }) => url)
  const others = members.filter(({ name }) => name !== leader).map(({ url }) => url)
  return [...new Set([...followers, ...others, ...urls])]
}
