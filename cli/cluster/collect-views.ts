import { type AskOptions, askNode, type NodeAnswer } from './cluster-view.ts'

/** What became of asking each node, by its origin. */
export type Answers = ReadonlyMap<string, NodeAnswer>

/** Nodes asked at most, whatever their views name. */
const MAX_NODES = 64

/** Asks every given node, and every member that those know of, at the same time. */
export async function collectViews(urls: readonly string[], options: AskOptions): Promise<Answers> {
  const answers = new Map<string, NodeAnswer>()
  const ask = async (batch: Iterable<string>) => {
    const unasked = [...new Set(batch)].filter((url) => !answers.has(url)).slice(0, MAX_NODES)
    const told = await Promise.all(unasked.map((url) => askNode(url, options)))
    for (const [at, url] of unasked.entries()) answers.set(url, told[at] as NodeAnswer)
  }
  // What the runtime loads for its first call is nobody's lateness.
  await fetch('data:,')
  await ask(urls.map(origin))
  const known = [...answers.values()].flatMap(({ view }) => view?.members ?? [])
  // Asked under two addresses a node would answer twice: whoever answered is known by his name.
  const answered = new Set([...answers.values()].map(({ view }) => view?.node))
  await ask(known.filter(({ name }) => !answered.has(name)).map(({ url }) => origin(url)))
  await askLeaderAgain(answers, options)
  return answers
}

/**
 * Who is silent here may be heard by the leader. Asked again now it says so of nobody who fell
 * silent for it as well meanwhile.
 */
async function askLeaderAgain(
  answers: Map<string, NodeAnswer>,
  options: AskOptions,
): Promise<void> {
  const all = [...answers.values()]
  if (!all.some(({ view }) => view === null)) return
  for (const [url, { view }] of answers) {
    if (view === null || view.leader !== view.node) continue
    const again = await askNode(url, options)
    if (again.view !== null) answers.set(url, again)
  }
}

const origin = (url: string): string => new URL(url).origin
