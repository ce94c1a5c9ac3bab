import { ChatClient } from '../client.ts'
import type { ChatMessage } from '../chat-event.ts'
import { ChatError } from '../errors.ts'
import type { ChatOptions } from '../options.ts'
import { PushDevice } from '../push/index.ts'
import type { ClientStore } from '../store/client-store.ts'

/** What a case has to itself: nodes that run, names that nobody else uses, stores that outlive a client. */
export interface LiveWorld {
  readonly urls: readonly string[]
  newName(prefix: string): string
  /** Over the same place for the same name. */
  store(name: string): ClientStore
}

export interface LiveCase {
  readonly title: string
  run(world: LiveWorld): Promise<void>
}

/** The SDK against real nodes: the same in Node.js and in a browser. */
export const LIVE_CASES: readonly LiveCase[] = [
  {
    title: 'a device says how it is called, and hears that this cluster calls nobody',
    run: async (world) => {
      const { urls } = world
      const push = new PushDevice({ urls, device: 'phone', user: world.newName('ann') })
      equal(await push.info(), { kinds: [], vapidPublicKey: null })
      const keys = { p256dh: 'x', auth: 'y' }
      const refusal = await push
        .subscribe({ endpoint: 'https://push.example.org/x', keys })
        .catch((error: unknown) => error)
      equal(ChatError.is(refusal) && refusal.code, 'UNSUPPORTED')
      await push.unsubscribe()
    },
  },
  {
    title: 'a message is there at once, sent when a majority has it, and received once, in order',
    run: async (world) => {
      const [ann, bob] = [world.newName('ann'), world.newName('bob')]
      const alice = await connect(world, ann)
      const bobby = await connect(world, bob)
      const everything = bobby.messages()
      const room = alice.direct(bob)
      const body = { text: 'héllo ✓', picture: new Uint8Array([0, 128, 255]), n: 2 ** 40 }
      const message = room.send(body)
      equal(message.status, 'pending')
      const { seq, duplicate } = await message.sent
      equal([seq, duplicate], [1, false])
      for (let n = 2; n <= 60; n++) room.send(n)
      const messages = await take(everything, 60)
      equal(
        messages.map((each) => each.seq),
        upTo(60),
      )
      equal(messages[0]!.body, body)
      const page = await bobby.direct(ann).history({ limit: 20 })
      equal(
        page.events.map((each) => each.seq),
        upTo(20, 41),
      )
      equal(page.hasMore, true)
      await alice.drain()
      bobby.close()
    },
  },
  {
    title: 'what is queued and what was shown survives the client, with its store',
    run: async (world) => {
      const [ann, bob] = [world.newName('ann'), world.newName('bob')]
      const bobby = await connect(world, bob)
      const offline = await ChatClient.connect({
        ...optionsOf(world, ann),
        // Nobody listens there: it stays in the outbox.
        urls: ['http://127.0.0.1:9'],
        store: world.store(ann),
        connectTimeoutMs: 0,
      })
      const queued = offline.direct(bob).send('before')
      await queued.queued
      offline.close()
      await offline.closed
      const first = await connect(world, ann, { store: world.store(ann) })
      equal(
        first.restored.map(({ msgId }) => msgId),
        [queued.msgId],
      )
      await first.restored[0]!.sent
      const { id } = await bobby.direct(ann).info()
      const room = first.conversation(id)
      const stream = room.messages({ after: 'cursor' })
      equal((await next(stream)).body, 'before')
      await bobby.direct(ann).send('after').sent
      const inHand = await next(stream)
      equal([inHand.body, inHand.redelivered], ['after', false])
      first.close()
      await first.closed
      const second = await connect(world, ann, { store: world.store(ann) })
      const again = await next(second.conversation(id).messages({ after: 'cursor' }))
      equal([again.body, again.redelivered], ['after', true])
      second.close()
      bobby.close()
      await second.closed
    },
  },
  {
    title: 'who was away catches up, in order, with progress and what is unread',
    run: async (world) => {
      const [ann, bob] = [world.newName('ann'), world.newName('bob')]
      const bobby = await connect(world, bob)
      const before = await connect(world, ann, { store: world.store(ann) })
      const room = await bobby.createGroup({ members: [ann], name: 'team' })
      await bobby.conversation(room.id!).send(0).sent
      await until(() =>
        before.sync.conversations.some(({ conversation }) => conversation === room.id),
      )
      before.close()
      await before.closed
      const sent = upTo(450).map((n) => bobby.conversation(room.id!).send(n).sent)
      await Promise.all(sent)
      const after = await ChatClient.connect({
        ...optionsOf(world, ann),
        store: world.store(ann),
        connectTimeoutMs: 0,
      })
      const progress: { done: number; total: number }[] = []
      after.sync.on('progress', (each) => progress.push(each))
      const got = await take(after.conversation(room.id!).messages({ after: 'cursor' }), 451)
      equal(
        got.map(({ body }) => body),
        upTo(451, 0),
      )
      await until(() => progress.at(-1)?.done === progress.at(-1)?.total && progress.length > 3)
      const row = after.sync.conversations.find(({ conversation }) => conversation === room.id)
      equal(row?.unread, 451)
      after.conversation(room.id!).markRead(row!.head)
      await until(() => after.sync.conversations[0]?.unread === 0)
      after.close()
      bobby.close()
      await after.closed
    },
  },
  {
    title: 'two devices and a group: everyone has the same order',
    run: async (world) => {
      const [ann, bob] = [world.newName('ann'), world.newName('bob')]
      const phone = await connect(world, ann, { device: `${ann}-phone` })
      const laptop = await connect(world, ann, { device: `${ann}-laptop` })
      const bobby = await connect(world, bob)
      const { id } = await phone.createGroup({ members: [bob] })
      const rooms = [phone, laptop, bobby].map((chat) => chat.conversation(id!))
      const streams = rooms.map((room) => room.messages({ after: 0 }))
      for (let n = 0; n < 30; n++) for (const room of rooms) room.send(n)
      const orders = await Promise.all(streams.map((stream) => take(stream, 90)))
      const [first, ...others] = orders.map((order) => order.map(({ msgId }) => msgId))
      equal(new Set(first).size, 90)
      for (const other of others) equal(other, first)
      for (const chat of [phone, laptop, bobby]) chat.close()
    },
  },
]

const optionsOf = (world: LiveWorld, user: string): ChatOptions => ({
  urls: world.urls,
  user,
  device: `${user}-device`,
})

const connect = (world: LiveWorld, user: string, more: Partial<ChatOptions> = {}) =>
  ChatClient.connect({ ...optionsOf(world, user), ...more })

async function take(stream: AsyncIterable<ChatMessage>, count: number): Promise<ChatMessage[]> {
  const taken: ChatMessage[] = []
  for await (const message of stream) {
    taken.push(message)
    if (taken.length === count) break
  }
  return taken
}

async function next(stream: AsyncIterator<ChatMessage>): Promise<ChatMessage> {
  const { value, done } = await stream.next()
  if (done === true) throw new Error('the stream ended')
  return value
}

/** Waits for a condition, as long as the test may take. */
async function until(condition: () => boolean): Promise<void> {
  const { clock } = (await import('../host/default-ports.ts')).defaultPorts()
  const since = clock.monotonicMs()
  while (!condition()) {
    if (clock.monotonicMs() - since > 20_000) throw new Error(`never: ${condition.toString()}`)
    await new Promise<void>((resolve) => clock.after(10, resolve))
  }
}

const upTo = (count: number, from = 1): number[] =>
  Array.from({ length: count }, (_, i) => from + i)

/** By what they look like, bytes as lists of numbers. */
function equal(actual: unknown, expected: unknown): void {
  const text = (value: unknown) =>
    JSON.stringify(value, (_, each: unknown) => (each instanceof Uint8Array ? [...each] : each))
  if (text(actual) !== text(expected)) {
    throw new Error(`${text(actual)} where ${text(expected)} was expected`)
  }
}
