import { fetchView } from '../cluster/cluster-view.ts'
import { CliError, ExitCode } from '../exit-codes.ts'
import { tokenHeaders } from '../token-file.ts'

export interface BackupSource {
  readonly urls: readonly string[]
  readonly tokenFile: string | undefined
  readonly timeoutMs: number
  /** Only from this one. */
  readonly node: string | undefined
}

/** Where to ask for a backup, the best first: who does not lead has the least to do. */
export async function backupUrls(source: BackupSource): Promise<string[]> {
  const { urls, node, timeoutMs } = source
  const headers = tokenHeaders(source.tokenFile)
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
