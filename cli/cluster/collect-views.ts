import {
  type AskOptions,
  askNode,
  askThrough,
  type ClusterMember,
  type ClusterView,
  type NodeAnswer,
} from './cluster-view.ts'

/** What became of asking each node, by its origin. */
export type Answers = ReadonlyMap<string, NodeAnswer>

/** Nodes asked at most, whatever their views name. */
const MAX_NODES = 64

/**
 * Asks every given node, and every member that those know of, at the same time. Whoever does not answer
 * here is asked through a node that does, where that one reaches it.
 */
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
  await askTheRest(answers, options)
  await askLeaderAgain(answers, options)
  return answers
}

/** Members that only other nodes reach: those have it told over their links. */
async function askTheRest(answers: Map<string, NodeAnswer>, options: AskOptions): Promise<void> {
  const reached = [...answers].flatMap(([url, { view }]) => (view === null ? [] : [{ url, view }]))
  const answered = new Set(reached.map(({ view }) => view.node))
  const missing = new Map<string, { member: ClusterMember; through: string }>()
  for (const { url, view } of leadersFirst(reached)) {
    for (const member of view.members) {
      if (answered.has(member.name) || missing.has(member.name) || !isLinked(member)) continue
      if (missing.size < MAX_NODES) missing.set(member.name, { member, through: url })
    }
  }
  const rest = [...missing.values()]
  const told = await Promise.all(
    rest.map(({ member, through }) => askThrough(through, member.name, options)),
  )
  for (const [at, { member }] of rest.entries()) {
    const answer = told[at]!
    if (answer.view === null) continue
    const url = origin(member.url)
    // Behind one address there may be several, of which only one answered.
    const isTaken = (answers.get(url)?.view ?? null) !== null
    answers.set(isTaken ? `${url} (${member.name})` : url, answer)
  }
}

const leadersFirst = <T extends { readonly view: ClusterView }>(reached: readonly T[]): T[] =>
  reached.toSorted((a, b) => Number(leads(b.view)) - Number(leads(a.view)))

const leads = ({ leader, node }: ClusterView): boolean => leader === node

/** Whoever says so has a connection to it. */
const isLinked = ({ state }: ClusterMember): boolean =>
  state === 'follower' || state === 'leader' || state === 'candidate'

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
  for (const [url, answer] of answers) {
    const { view } = answer
    if (view === null || !leads(view) || answer.through !== undefined) continue
    const again = await askNode(url, options)
    if (again.view !== null) answers.set(url, again)
  }
}

const origin = (url: string): string => new URL(url).origin
