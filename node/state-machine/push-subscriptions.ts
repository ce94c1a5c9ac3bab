import { crc32c } from '@node-rs/crc32'
import { StoreDamagedError, type Store } from '../store/store.ts'
import type { DirtySet } from './dirty-set.ts'
import { pushKey } from './keys.ts'
import { type ObjectKind, ObjectTable } from './object-table.ts'
import { PushBlock } from './push-block.ts'
import type { PushTarget } from './commands.ts'
import type { PushSubscription } from './types.ts'

/** Users share this many blocks; the state record says which of them there are (rule K5). */
export const PUSH_BLOCKS = 16_384
/** Devices of one user; one more, and the one that subscribed first goes. */
export const MAX_SUBSCRIPTIONS = 20
/** What a block weighs that changed, for the bound of unwritten bytes. */
const BLOCK_BYTES = 1_024

/**
 * Which devices want to be called when they are away, and what each was told (rule B9): one call per
 * absence, so a claim holds until the device is seen again. A claim is of an inbox number greater than
 * any before, so that number and device name the call for ever. A block that was written and is not
 * there is damage, not a device that is called twice.
 */
export class PushSubscriptions {
  readonly table: ObjectTable<PushBlock>
  readonly #dirty: DirtySet
  /** One bit per block that was ever changed. */
  readonly #present: Uint8Array
  #isEmpty: boolean

  constructor(options: {
    readonly store: Store
    readonly dirty: DirtySet
    readonly present: Uint8Array
    readonly blocksInMemory: number
  }) {
    this.#dirty = options.dirty
    this.#present = new Uint8Array(PUSH_BLOCKS / 8)
    this.#present.set(options.present)
    this.#isEmpty = this.#present.every((byte) => byte === 0)
    this.table = new ObjectTable(this.#kind(), options.store, options.blocksInMemory)
  }

  /** For the state record; empty before the first. */
  get present(): Uint8Array {
    return this.#isEmpty ? new Uint8Array(0) : this.#present.slice()
  }

  /** Nobody ever subscribed. */
  get isEmpty(): boolean {
    return this.#isEmpty
  }

  /** Whether the user may have a subscription; `false` is certain. */
  mayHold(user: string): boolean {
    return !this.#isEmpty && this.#isPresent(blockOf(user))
  }

  /** The block to load before anything of the user is applied, `null` if memory holds it. */
  missing(user: string): string | null {
    const id = blockOf(user)
    return this.table.get(id) === undefined ? id : null
  }

  /** `head`: the newest number of the user's inbox: what is there already calls nobody. */
  subscribe(user: string, device: string, target: PushTarget, head: number): void {
    const known = this.#find(user, device)
    const { told, claim } = known ?? { told: head, claim: 'none' }
    this.#put(user, { device, target, told, claim })
  }

  /** Whether there was one; with an endpoint only the subscription that still has it. */
  unsubscribe(user: string, device: string, endpoint: string | null): boolean {
    const known = this.#find(user, device)
    if (known === null || (endpoint !== null && known.target.endpoint !== endpoint)) return false
    const block = this.#changed(user)
    const others = block.of(user).filter((each) => each !== known)
    block.set(user, others)
    return true
  }

  /** Who lost his tokens or is erased is called no more: the device, or all of them. */
  forget(user: string, device: string | null): void {
    if (!this.mayHold(user)) return
    const list = this.table.need(blockOf(user)).of(user)
    const kept = device === null ? NOTHING : list.filter((each) => each.device !== device)
    if (kept.length < list.length) this.#changed(user).set(user, kept)
  }

  /** The number that the device is called for now; 0: none. Equal to `inbox` if the claim holds. */
  claim(user: string, device: string, inbox: number): number {
    const known = this.#find(user, device)
    if (known === null) return 0
    if (known.claim !== 'none') return known.told
    if (inbox <= known.told) return 0
    this.#put(user, { ...known, told: inbox, claim: 'claimed' })
    return inbox
  }

  /** The call for that number came to its end. */
  done(user: string, device: string, inbox: number): void {
    const known = this.#find(user, device)
    if (known === null || known.claim !== 'claimed' || known.told !== inbox) return
    this.#put(user, { ...known, claim: 'done' })
  }

  /** The device is there: it may be called again once it is away. `true`: it had been called. */
  seen(user: string, device: string): boolean {
    const known = this.#find(user, device)
    if (known === null || known.claim === 'none') return false
    this.#put(user, { ...known, claim: 'none' })
    return true
  }

  /**
   * The device has its inbox up to there. An ack from before the call says nothing of the absence
   * that it was made in.
   */
  acked(user: string, device: string, inbox: number): boolean {
    if (!this.mayHold(user)) return false
    const known = this.#find(user, device)
    return known !== null && inbox >= known.told && this.seen(user, device)
  }

  /** Of the user, in the order in which they subscribed. */
  async of(user: string): Promise<readonly PushSubscription[]> {
    if (!this.mayHold(user)) return NOTHING
    return (await this.table.read(blockOf(user))).of(user)
  }

  /** Users with subscriptions, of the first block from `from` on that has any; `null`: no more. */
  async users(from: number): Promise<{ readonly users: string[]; readonly next: number } | null> {
    for (let block = from; block < PUSH_BLOCKS; block += 1) {
      if (!this.#isPresent(String(block))) continue
      const { users } = await this.table.read(String(block))
      if (users.size > 0) return { users: [...users.keys()], next: block + 1 }
    }
    return null
  }

  #find(user: string, device: string): PushSubscription | null {
    const block = this.table.need(blockOf(user))
    return block.of(user).find((each) => each.device === device) ?? null
  }

  #put(user: string, subscription: PushSubscription): void {
    const block = this.#changed(user)
    const list = block.of(user)
    const at = list.findIndex(({ device }) => device === subscription.device)
    const next = at === -1 ? [...list, subscription] : list.with(at, subscription)
    block.set(user, next.slice(-MAX_SUBSCRIPTIONS))
  }

  #changed(user: string): PushBlock {
    const id = blockOf(user)
    const block = this.table.need(id)
    if (this.table.touch(block)) this.#dirty.addBytes(BLOCK_BYTES)
    this.#present[Number(id) >> 3]! |= 1 << (Number(id) & 7)
    this.#isEmpty = false
    return block
  }

  #isPresent(id: string): boolean {
    return (this.#present[Number(id) >> 3]! & (1 << (Number(id) & 7))) !== 0
  }

  #kind(): ObjectKind<PushBlock> {
    return {
      name: 'push subscriptions',
      key: (id) => pushKey(Number(id)),
      encode: (block) => block.encode(),
      decode: (id, bytes) => {
        if (bytes !== null) return PushBlock.decode(id, bytes)
        if (!this.#isPresent(id)) return new PushBlock(id)
        throw new StoreDamagedError(`block ${id} of push subscriptions is missing from the store`)
      },
    }
  }
}

const NOTHING: readonly PushSubscription[] = []

const blockOf = (user: string): string => String((crc32c(user) >>> 0) % PUSH_BLOCKS)
