import { StoreDamagedError, type Store } from '../store/store.ts'
import type { ApplicationState } from './application-state.ts'
import { ByteReader } from './byte-reader.ts'
import { decodeConversation, membersApart } from './conversation-codec.ts'
import { type Conversation, VIEW_POSITIONS } from './conversation-state.ts'
import { KeyHash } from './key-hash.ts'
import { conversationKey, membersKey, userKey } from './keys.ts'
import { Members, shardOf, shardsOf } from './members.ts'

/** Member records fetched together. */
const SHARDS_PER_READ = 64

/**
 * Reads conversations as of the newest cut, in the order of `ids`; `null` where the store has none.
 * The objects are the caller's own: only prefetch may put them into the cache, because there alone
 * nothing is applied meanwhile.
 */
export function loadConversations(
  state: ApplicationState,
  ids: readonly string[],
): Promise<(Conversation | null)[]> {
  return load(state, ids, async () => null)
}

/**
 * As `loadConversations`, for a read on behalf of `user`: of members that have records of their own
 * it brings only those beside him; of a reader who sees all, `null`, none.
 */
export function loadForRead(
  state: ApplicationState,
  ids: readonly string[],
  user: string | null,
): Promise<(Conversation | null)[]> {
  return load(state, ids, async (id) => (user === null ? [] : shardsBeside(state, id, user)))
}

async function shardsBeside(
  state: ApplicationState,
  id: string,
  user: string,
): Promise<readonly number[] | null> {
  const position = state.users.unwritten(user).get(id) ?? (await positionOf(state, user, id))
  // Without a key he is no member, or it was lost (rule K5): all of them tell.
  return position === null ? null : [shardOf(position)]
}

/** As `loadForRead`, with all members of small conversations. */
export function loadForList(
  state: ApplicationState,
  ids: readonly string[],
  user: string,
): Promise<(Conversation | null)[]> {
  return load(state, ids, async (id, _listed, large) => {
    return large ? shardsBeside(state, id, user) : null
  })
}

/** As `loadConversations`, with those members of a large conversation that its view shows. */
export function loadForView(
  state: ApplicationState,
  id: string,
  membersFrom: number,
): Promise<(Conversation | null)[]> {
  return load(state, [id], shardsOfView(membersFrom))
}

/** As `loadForView`, of several with their first members. */
export function loadForSurvey(
  state: ApplicationState,
  ids: readonly string[],
): Promise<(Conversation | null)[]> {
  return load(state, ids, shardsOfView(0))
}

function shardsOfView(membersFrom: number): Wanted {
  return async (_id, listed, large) => {
    if (!large) return null
    const first = shardOf(membersFrom)
    const end = shardsOf(Math.min(membersFrom + VIEW_POSITIONS, listed))
    return Array.from({ length: Math.max(0, end - first) }, (_each, i) => first + i)
  }
}

/**
 * The store may lose a key without an error (rule K5). Whoever is or was a member of a conversation
 * has a key of his own for it, written with it: if that is there, so must be the conversation.
 */
export async function proveAbsent(
  state: ApplicationState,
  user: string,
  id: string,
): Promise<void> {
  if ((await state.store.get(userKey(user, id))) === null) return
  if (state.conversations.get(id) !== undefined) return
  // It may have come since it was looked for; from its first cut on it is there for good.
  const [conversation] = await loadForRead(state, [id], user)
  if (conversation === null) {
    throw new StoreDamagedError(`${user} is in ${id}, which is missing from the store`)
  }
}

async function positionOf(
  { store }: ApplicationState,
  user: string,
  id: string,
): Promise<number | null> {
  const value = await store.get(userKey(user, id))
  return value === null ? null : new ByteReader(value).varint()
}

/** Names the shards of members that are wanted; `null`: all. */
type Wanted = (id: string, listed: number, large: boolean) => Promise<readonly number[] | null>

async function load(
  state: ApplicationState,
  ids: readonly string[],
  wanted: Wanted,
): Promise<(Conversation | null)[]> {
  const heads = await state.store.getMany(ids.map(conversationKey))
  const hash = new KeyHash()
  const prefix = (with_: KeyHash, id: string): KeyHash => state.conversationPrefix(with_, id)
  const loaded: (Conversation | null)[] = []
  for (const [i, id] of ids.entries()) {
    const head = heads[i] ?? null
    if (head === null || membersApart(head) === null) {
      loaded.push(head && decodeConversation(id, head, prefix, hash, null))
    } else {
      const whole = await withMembers(state.store, id, head, wanted)
      loaded.push(decodeConversation(id, whole.head, prefix, hash, whole.members))
    }
  }
  return loaded
}

/** Head and members of one cut: read again if another one came in between. */
async function withMembers(
  store: Store,
  id: string,
  first: Uint8Array,
  wanted: Wanted,
): Promise<{ head: Uint8Array; members: Members }> {
  for (let head = first; ;) {
    const { listed, present, large } = membersApart(head)!
    const some = await wanted(id, listed, large)
    const all = Array.from({ length: shardsOf(listed) }, (_, shard) => shard)
    const shards = await readShards(store, id, some ?? all)
    const again = await store.get(conversationKey(id))
    if (again === null) throw new StoreDamagedError(`${id} is missing from the store`)
    if (Buffer.compare(again, head) === 0) {
      if (shards === null) throw new StoreDamagedError(`members of ${id} are missing`)
      if (some !== null) return { head, members: Members.decodeSome(shards, present, listed) }
      const members = Members.decode([...shards.values()])
      if (members.list.length === listed && members.present === present) return { head, members }
      throw new StoreDamagedError(`${id} has other members than its head counts`)
    }
    head = again
  }
}

/** `null` if one is not there. */
async function readShards(
  store: Store,
  id: string,
  wanted: readonly number[],
): Promise<Map<number, Uint8Array> | null> {
  const shards = new Map<number, Uint8Array>()
  for (let first = 0; first < wanted.length; first += SHARDS_PER_READ) {
    const part = wanted.slice(first, first + SHARDS_PER_READ)
    const found = await store.getMany(part.map((shard) => membersKey(id, shard)))
    for (const [i, shard] of part.entries()) {
      const bytes = found[i] ?? null
      if (bytes === null) return null
      shards.set(shard, bytes)
    }
  }
  return shards
}
