import { beforeAll, describe, expect, test } from 'vitest'
import type { FeatureEvent, FeaturePage, Features, FeatureWrite } from '../history/features.ts'
import type { History } from '../history/history.ts'
import { runSeed } from '../simulation/run-seed.ts'
import { FEATURE_KINDS, type FeatureKind } from '../workload/feature-operation.ts'
import { FEATURE_CHECKERS } from './index.ts'

type Property = keyof typeof FEATURE_CHECKERS
type Mutable<T> = { -readonly [K in keyof T]: Mutable<T[K]> }

/** One bug, put into what a sound run recorded. */
interface Mutation {
  readonly property: Property
  readonly title: string
  readonly make: (features: Mutable<Features>) => void
}

function mutation(title: string, make: Mutation['make']): Mutation {
  const property = /^\[(\w+)\]/.exec(title)![1] as Property
  return { property, title, make }
}

function need<T>(found: T | undefined, what: string): T {
  if (found === undefined) throw new Error(`this run has no ${what}`)
  return found
}

type Page = Mutable<FeaturePage>
type Event = Mutable<FeatureEvent>

/** An event that somebody was shown in a page, with that page. */
function shown(
  { pages }: Mutable<Features>,
  what: string,
  fits: (event: FeatureEvent, page: FeaturePage) => boolean,
): { page: Page; event: Event } {
  for (const page of pages) {
    const event = page.events.find((one) => fits(one as FeatureEvent, page as FeaturePage))
    if (event !== undefined) return { page: page as Page, event: event as Event }
  }
  throw new Error(`no page of this run shows ${what}`)
}

const isPlain = ({ kind, body }: FeatureEvent): boolean => kind === 'message' && body !== null

const accepted = (features: Mutable<Features>, kind: FeatureWrite['kind']) =>
  need(
    features.writes.find((write) => write.kind === kind && write.seq !== null),
    `accepted ${kind}`,
  )

const MUTATIONS: readonly Mutation[] = [
  mutation('[P10] a member has more than he claimed', (f) => {
    const told = f.receipts.find(({ final }) => final)!
    told.upTo += 1_000
  }),
  mutation('[P10] a receipt goes back', (f) => {
    const told = need(
      f.receipts.find(({ by, upTo }) => by === 'answer' && upTo > 0),
      'receipt',
    )
    f.receipts.push({ ...told, upTo: told.upTo - 1 })
  }),
  mutation('[P10] who has read has nothing delivered', (f) => {
    const read = need(
      f.receipts.find(({ by, kind, upTo }) => by === 'answer' && kind === 'read' && upTo > 0),
      'read receipt',
    )
    const { moment, conv, member } = read
    for (const told of f.receipts) {
      const isSame = told.moment === moment && told.conv === conv && told.member === member
      if (isSame && told.kind === 'delivered') told.upTo = 0
    }
  }),
  mutation('[P10] an acknowledged receipt is forgotten', (f) => {
    for (const told of f.receipts) if (told.final) told.upTo = 0
  }),
  mutation('[P10] one node holds another receipt', (f) => {
    const told = need(
      f.receipts.findLast(({ final, by, upTo }) => final && by === 'answer' && upTo > 0),
      'final receipt',
    )
    told.upTo -= 1
  }),

  mutation('[P17] a message is shown as nobody wrote it', (f) => {
    shown(f, 'a message', isPlain).event.body += ' or so'
  }),
  mutation('[P17] an edit is not seen afterwards', (f) => {
    const { event } = shown(f, 'an edited message', (one, { final }) => {
      return final && isPlain(one) && one.edited !== null
    })
    event.body = need(
      f.writes.find(({ msgId }) => msgId === event.msgId),
      'message',
    ).body
    event.edited = null
  }),
  mutation('[P17] an edit counts, and its text does not', (f) => {
    const { event } = shown(f, 'an edited message', (one) => isPlain(one) && one.edited !== null)
    event.body = need(
      f.writes.find(({ msgId }) => msgId === event.msgId),
      'message',
    ).body
  }),
  mutation('[P17] what was recalled is shown again', (f) => {
    const { event } = shown(f, 'a recalled message', ({ kind, recalled }, { final }) => {
      return final && kind === 'message' && recalled
    })
    event.recalled = false
    event.body = need(
      f.writes.find(({ msgId }) => msgId === event.msgId),
      'message',
    ).body
  }),
  mutation('[P17] what was recalled still has its text', (f) => {
    shown(f, 'a recalled message', ({ recalled }) => recalled).event.body = 'still here'
  }),
  mutation('[P17] a message is gone that nobody recalled', (f) => {
    const recalls = new Set(f.writes.map(({ kind, conv, target }) => `${kind} ${conv} ${target}`))
    const { event } = shown(f, 'a message that stays', (one, { conv }) => {
      return isPlain(one) && one.edited === null && !recalls.has(`recall ${conv} ${one.seq}`)
    })
    Object.assign(event, { recalled: true, body: null })
  }),
  mutation('[P17] somebody edits what another said', (f) => {
    const edit = accepted(f, 'edit')
    edit.user = need(
      f.users.find((user) => user !== edit.user),
      'other user',
    )
  }),
  mutation('[P17] a recalled message is edited', (f) => {
    const recall = accepted(f, 'recall')
    f.writes.push({ ...recall, kind: 'edit', seq: recall.seq! + 1, body: 'too late' })
  }),
  mutation('[P17] a blocked message is accepted', (f) => {
    const block = need(
      f.writes.find(({ kind, seq }) => kind === 'block' && seq !== null),
      'block',
    )
    const said = accepted(f, 'message')
    const during = { invoked: block.answered + 0.1, answered: block.answered + 0.2 }
    f.writes.push({ ...said, conv: block.conv, user: block.who!, msgId: 'during', ...during })
  }),
  mutation('[P17] a message is refused for a block that nobody made', (f) => {
    const said = accepted(f, 'message')
    f.writes.push({ ...said, msgId: 'before', answered: 0, seq: null, refused: 'USER_BLOCKED' })
  }),
]

/** What a run without faults records in which all of `featureKinds` are used. */
async function recordSound(featureKinds: readonly FeatureKind[]): Promise<History> {
  const found: History[] = []
  const swarm = {
    ...{ nodes: 3, devices: 2, conversations: 1, faults: [], sdkShare: 0, thinkMs: 10 },
    ...{ featureShare: 0.9, featureKinds },
  }
  const recorded = (history: History) => void found.push(history)
  const { violation } = await runSeed({ seed: 7, safetyMs: 6_000, swarm, recorded })
  expect(violation).toBeNull()
  return found[0]!
}

/** These take away what is looked for elsewhere. */
const REMOVING: readonly FeatureKind[] = ['retention', 'erase']
/** Judged where these are among what is used. */
const OF_REMOVING: readonly string[] = ['P18', 'P21']

describe('the judges of everything beside messages', () => {
  const histories = new Map<boolean, { history: History; sound: Features }>()
  beforeAll(async () => {
    for (const removes of [true, false]) {
      const kinds = FEATURE_KINDS.filter((kind) => removes || !REMOVING.includes(kind))
      const history = await recordSound(kinds)
      histories.set(removes, { history, sound: history.features })
    }
  }, 60_000)

  test('see all that there is', () => {
    const { writes } = histories.get(false)!.sound
    const kinds = new Set(writes.map(({ kind, seq }) => (seq === null ? '' : kind)))
    expect([...kinds]).toEqual(expect.arrayContaining(['message', 'edit', 'recall', 'block']))
  })

  test.each(MUTATIONS.map((one) => [one.title, one] as const))('%s', (_, { property, make }) => {
    const { history, sound } = histories.get(OF_REMOVING.includes(property))!
    history.features = structuredClone(sound)
    expect(FEATURE_CHECKERS[property](history)).toEqual([])
    make(history.features as Mutable<Features>)
    const found = FEATURE_CHECKERS[property](history)
    expect(found.map((one) => one.property)).toContain(property)
    // Says where and what, in words.
    expect(found[0]!.message).toMatch(/\w{2,} .*\w/)
  })

  test('each has a mutation', () => {
    const mutated = new Set(MUTATIONS.map(({ property }) => property))
    expect(Object.keys(FEATURE_CHECKERS).filter((id) => !mutated.has(id as Property))).toEqual([])
  })
})
