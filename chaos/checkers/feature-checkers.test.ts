import { describe, expect, test } from 'vitest'
import type {
  FeatureEvent,
  FeaturePage,
  Features,
  FeatureWrite,
  SignalHeard,
} from '../history/features.ts'
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

class Lacking extends Error {}

function need<T>(found: T | undefined, what: string): T {
  if (found === undefined) throw new Lacking(`this run has no ${what}`)
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
  throw new Lacking(`no page of this run shows ${what}`)
}

const isPlain = ({ kind, body }: FeatureEvent): boolean => kind === 'message' && body !== null

const accepted = (features: Mutable<Features>, kind: FeatureWrite['kind']) =>
  need(
    features.writes.find((write) => write.kind === kind && write.seq !== null),
    `accepted ${kind}`,
  )

/** A page that begins with what retention cut off, for whoever was there all along. */
function gapOf({ pages, writes }: Mutable<Features>): Page {
  const left = new Set(writes.map(({ kind, conv, who }) => `${kind} ${conv} ${who}`))
  const page = pages.find(({ gap, conv, user }) => {
    return gap?.from === 1 && !left.has(`remove ${conv} ${user}`)
  })
  return need(page, 'gap')
}

const feedOf = ({ feed }: Mutable<Features>) =>
  need(
    feed.find(({ events }) => events.length > 2),
    'page of the feed',
  )

const isSameStream = (a: SignalHeard, b: SignalHeard): boolean =>
  a.device === b.device &&
  a.session === b.session &&
  a.conv === b.conv &&
  a.fromDevice === b.fromDevice

const lastSync = ({ syncs, owner }: Mutable<Features>) =>
  need(
    syncs.find(({ final, after, user }) => final && after === 0 && user === owner),
    'last sync of the owner',
  )

/** The page, with what a user said before he had it erased. */
function withErased<T extends object>(
  f: Mutable<Features>,
  page: T,
): T & { events: FeatureEvent[] } {
  const { user, invoked } = need(f.erasures[0], 'erasure')
  const write = need(
    f.writes.find((one) => one.user === user && one.kind === 'message' && one.answered < invoked),
    'message before the erasure',
  )
  const { event } = shown(f, 'a message', ({ kind }) => kind === 'message')
  const { body, msgId } = write
  const again = { ...event, from: user, msgId, body, edited: null, recalled: false, expired: false }
  return { ...page, events: [again] }
}

const MUTATIONS: readonly Mutation[] = [
  mutation('[P10] a member has more than he claimed', (f) => {
    const told = need(
      f.receipts.find(({ final }) => final),
      'receipt',
    )
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
    need(
      f.receipts.find(({ final, upTo }) => final && upTo > 0),
      'receipt',
    )
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

  mutation('[P18] a page skips an event', (f) => {
    const page = need(
      f.pages.find(({ events }) => events.length > 2),
      'page of three events',
    )
    page.events.splice(1, 1)
  }),
  mutation('[P18] a gap is told as nothing', (f) => {
    gapOf(f).gap = null
  }),
  mutation('[P18] a page says that it covers more than it does', (f) => {
    const page = need(
      f.pages.find(({ events }) => events.length > 2),
      'page',
    )
    page.events.pop()
  }),
  mutation('[P18] something goes that no bound takes', (f) => {
    const { conv } = gapOf(f)
    f.writes = f.writes.filter((write) => write.kind !== 'set' || write.conv !== conv)
  }),
  mutation('[P18] more goes than the least bound takes', (f) => {
    const page = need(
      f.pages.find(({ gap, hasMore, events }) => gap !== null && !hasMore && events.length > 1),
      'gap before the newest events',
    )
    for (const write of f.writes) {
      if (write.kind === 'set' && write.conv === page.conv) write.retention = { maxCount: 3 }
    }
    const last = page.events.at(-1)!
    page.gap!.to = last.seq - 1
    page.events = [last]
  }),
  mutation('[P18] a body goes that no bound takes', (f) => {
    const { event, page } = shown(f, 'a message', isPlain)
    f.writes = f.writes.filter((write) => write.kind !== 'set' || write.conv !== page.conv)
    f.erasures = []
    Object.assign(event, { expired: true, body: null })
  }),
  mutation('[P18] what was cut off comes back', (f) => {
    const page = gapOf(f)
    const again = { ...page, asked: page.answered + 0.1, answered: page.answered + 0.2 }
    const first = page.events[0] ?? shown(f, 'a message', isPlain).event
    const event = { ...first, seq: page.gap!.to }
    const upTo = page.gap!.to
    f.pages.push({
      ...{ ...again, linearizable: true, gap: null },
      ...{ after: upTo - 1, upTo, events: [event] },
    })
  }),
  mutation('[P18] somebody hears of a gap of membership who never left', (f) => {
    gapOf(f).gap!.reason = 'membership'
  }),

  mutation('[P19] a signal comes that nobody sent', (f) => {
    need(f.heard[0], 'signal').body += ' or so'
  }),
  mutation('[P19] a signal comes twice', (f) => {
    f.heard.push({ ...need(f.heard[0], 'signal') })
  }),
  mutation('[P19] a device hears itself', (f) => {
    const one = need(f.heard[0], 'signal')
    one.device = one.fromDevice
  }),
  mutation('[P19] signals of a device are swapped', (f) => {
    const at = f.heard.findIndex((one, i) =>
      f.heard.slice(i + 1).some((other) => isSameStream(one, other)),
    )
    const other = f.heard.findIndex((one, i) => i > at && isSameStream(one, f.heard[at]!))
    const [one, two] = [need(f.heard[at], 'two signals'), need(f.heard[other], 'two signals')]
    ;[one.body, two.body] = [two.body, one.body]
    ;[one.moment, two.moment] = [Math.max(one.moment, two.moment), Math.max(one.moment, two.moment)]
  }),
  mutation('[P19] a signal reaches somebody who was taken out', (f) => {
    const one = need(f.heard[0], 'signal')
    const source = f.sent.find(({ body }) => body === one.body)!
    const body = JSON.stringify({ op: 'remove', user: one.user })
    const { event } = f.pushes[0]!
    f.pushes.push({
      ...{ ...one, conv: one.conv!, shown: source.invoked - 0.1 },
      event: { ...event, kind: 'member', body, seq: 1_000_000 },
    })
  }),
  mutation('[P19] a signal is stored', (f) => {
    shown(f, 'a message', isPlain).event.body = f.sent[0]!.body
  }),

  mutation('[P20] the feed skips an event', (f) => {
    feedOf(f).events.splice(1, 1)
  }),
  mutation('[P20] the feed gives an event twice', (f) => {
    const { events } = feedOf(f)
    events.splice(1, 0, events[0]!)
  }),
  mutation('[P20] a cursor is another event elsewhere', (f) => {
    const page = need(
      f.feed.findLast(({ events }) => events.length > 2),
      'page of the feed',
    )
    page.events[1]!.conv = 'elsewhere'
  }),
  mutation('[P20] the feed of a node ends early', (f) => {
    const page = need(
      f.feed.findLast(({ events, final }) => final && events.length > 0),
      'last page of the feed',
    )
    page.events.pop()
    page.next = page.events.at(-1)?.cursor ?? ''
  }),
  mutation('[P20] the feed goes on elsewhere', (f) => {
    need(
      f.feed.find(({ after }) => after !== null),
      'second page',
    ).after += '0'
  }),
  mutation('[P20] the feed shows what nobody sent', (f) => {
    const own = new Set(f.conversations)
    const event = need(
      f.feed
        .flatMap(({ events }) => events)
        .find(({ kind, conv }) => kind === 'message' && !own.has(conv)),
      'message in the feed',
    )
    event.body += ' or so'
  }),

  mutation('[P21] a message that was erased is in a page', (f) => {
    f.pages.push(
      withErased(
        f,
        need(
          f.pages.findLast(({ final }) => final),
          'last page',
        ),
      ),
    )
  }),
  mutation('[P21] a message that was erased is in the feed', (f) => {
    const page = need(
      f.feed.findLast(({ final }) => final),
      'last page of the feed',
    )
    const { events } = withErased(f, page)
    f.feed.push({ ...page, events: events.map((one) => ({ ...one, conv: '', cursor: '' })) })
  }),

  mutation('[P22] a sync lacks an event and does not say so', (f) => {
    const page = need(
      f.syncs.find(({ events, gap }) => events.length > 2 && gap === null),
      'sync',
    )
    page.events.splice(1, 1)
  }),
  mutation('[P22] an inbox number is of two events', (f) => {
    const page = need(
      f.syncs.findLast(({ events }) => events.length > 0),
      'sync',
    )
    page.events[0]!.seq += 1
  }),
  mutation('[P22] a conversation ends elsewhere', (f) => {
    for (const row of lastSync(f).conversations) row.head += 1
  }),
  mutation('[P22] read messages count as unread', (f) => {
    for (const row of lastSync(f).conversations) row.unread += 1
  }),
  mutation('[P22] a node tells of another receipt', (f) => {
    const told = f.receipts.filter(
      ({ final, by, kind }) => final && by === 'status' && kind === 'read',
    )
    need(told[0], 'status')
    for (const one of told) one.upTo -= 1
  }),
]

/** What a run without faults records in which all of `featureKinds` are used. */
async function recordSound(seed: number, featureKinds: readonly FeatureKind[]): Promise<History> {
  const found: History[] = []
  const swarm = {
    ...{ nodes: 3, devices: 2, conversations: 1, faults: [], sdkShare: 0, thinkMs: 10 },
    ...{ featureShare: 0.9, featureKinds },
  }
  const recorded = (history: History) => void found.push(history)
  const { violation } = await runSeed({ seed, safetyMs: 6_000, swarm, recorded })
  expect(violation).toBeNull()
  return found[0]!
}

/** These take away what is looked for elsewhere. */
const REMOVING: readonly FeatureKind[] = ['retention', 'erase']
/** Judged where these are among what is used. */
const OF_REMOVING: readonly string[] = ['P18', 'P21']

/** A run that lacks what a mutation changes says nothing: then the next one is asked. */
const SEEDS = [7, 8, 9, 10]

describe('the judges of everything beside messages', () => {
  const recorded = new Map<string, Promise<{ history: History; sound: Features }>>()
  const soundOf = (seed: number, removes: boolean) => {
    const name = `${seed} ${removes}`
    let one = recorded.get(name)
    if (one === undefined) {
      const kinds = FEATURE_KINDS.filter((kind) => removes || !REMOVING.includes(kind))
      one = recordSound(seed, kinds).then((history) => ({ history, sound: history.features }))
      recorded.set(name, one)
    }
    return one
  }

  test('see all that there is', async () => {
    const { writes } = (await soundOf(SEEDS[0]!, false)).sound
    const kinds = new Set(writes.map(({ kind, seq }) => (seq === null ? '' : kind)))
    expect([...kinds]).toEqual(expect.arrayContaining(['message', 'edit', 'recall', 'block']))
  })

  test.each(MUTATIONS.map((one) => [one.title, one] as const))(
    '%s',
    { timeout: 120_000 },
    async (_, { property, make }) => {
      const lacking: string[] = []
      for (const seed of SEEDS) {
        const { history, sound } = await soundOf(seed, OF_REMOVING.includes(property))
        history.features = structuredClone(sound)
        expect(FEATURE_CHECKERS[property](history)).toEqual([])
        try {
          make(history.features as Mutable<Features>)
        } catch (error) {
          if (!(error instanceof Lacking)) throw error
          lacking.push(error.message)
          continue
        }
        const found = FEATURE_CHECKERS[property](history)
        expect(found.map((one) => one.property)).toContain(property)
        // Says where and what, in words.
        expect(found[0]!.message).toMatch(/\w{2,} .*\w/)
        return
      }
      expect.fail(lacking.join('; '))
    },
  )

  test('each has a mutation', () => {
    const mutated = new Set(MUTATIONS.map(({ property }) => property))
    expect(Object.keys(FEATURE_CHECKERS).filter((id) => !mutated.has(id as Property))).toEqual([])
  })
})
