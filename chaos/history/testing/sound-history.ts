import { Prng } from '../../prng.ts'
import { History, type SendRecord, type WireEvent } from '../history.ts'

const NODES = ['n1', 'n2', 'n3'] as const
const CONVERSATIONS = ['c1', 'c2'] as const

interface Device {
  readonly user: string
  readonly device: string
  node: (typeof NODES)[number]
  session: number
  /** The index of the newest mark that it was given. */
  mark: number
  /** How far its session was pushed, by conversation. */
  readonly pushed: Map<string, number>
}

/** A log of everything, as the nodes have it: an entry is an event of a conversation. */
interface LogEntry {
  readonly conv: string
  readonly wire: WireEvent
}

/**
 * The history of a store that keeps every promise: one log, nodes that follow it at their own pace,
 * devices that write, repeat, read, are pushed to and move. Another one for every seed.
 */
export function soundHistory(seed: number, steps = 120): History {
  let ms = 0
  const history = new History(() => (ms += 1))
  const prng = new Prng(seed)
  const log: LogEntry[] = []
  const applied = new Map<string, number>(NODES.map((node) => [node, 0]))
  const devices: Device[] = [1, 2, 3, 4].map((n) => ({
    user: `user-${(n % 2) + 1}`,
    device: `device-${n}`,
    node: NODES[n % 3]!,
    session: 1,
    mark: 0,
    pushed: new Map<string, number>(),
  }))
  const writes: { send: SendRecord; at: number; by: Device }[] = []
  const orders = new Map<string, number>()
  const handed = new Map<string, number>()

  const markOf = (node: string) => `epoch.${applied.get(node)!.toString(36)}`
  const of = (conv: string, upTo: number) =>
    log.slice(0, upTo).filter((entry) => entry.conv === conv)
  const catchUp = (node: string, index: number) => {
    const lag = prng.below(log.length - index + 1)
    applied.set(node, Math.max(applied.get(node)!, index + lag))
  }
  const show = (who: Device): string => {
    who.mark = Math.max(who.mark, applied.get(who.node)!)
    return markOf(who.node)
  }
  const append = (conv: string, wire: Omit<WireEvent, 'seq' | 'ord' | 'at'>) => {
    const before = of(conv, log.length)
    const messages = before.filter((entry) => entry.wire.kind === 'message').length
    const ord = messages + (wire.kind === 'message' ? 1 : 0)
    log.push({ conv, wire: { ...wire, seq: before.length + 1, ord, at: log.length } })
    return log.length
  }
  const answer = (write: (typeof writes)[number], who: Device, duplicate: boolean) => {
    catchUp(who.node, Math.max(write.at, who.mark))
    const { seq, at, ord } = log[write.at - 1]!.wire
    const told = { seq, at: at!, ord: ord!, duplicate }
    history.accept(write.send, { ...told, device: who.device, node: who.node, mark: show(who) })
  }
  const act = {
    write(who: Device) {
      const conv = prng.pick(CONVERSATIONS)
      const own = writes.filter(({ send, by }) => by === who && send.conv === conv)
      const key = `${who.device} ${conv}`
      const order = (orders.get(key) ?? 0) + 1
      orders.set(key, order)
      const msgId = `${who.device}-${conv}-${order}`
      const head = history.shown.headOf(conv)
      const replyTo = head > 0 && prng.chance(0.4) ? head : null
      const prev = own.at(-1)?.send.msgId ?? null
      const { user, device } = who
      const body = `${msgId} says so`
      const send = history.send({ conv, user, device, msgId, order, body, prev, replyTo })
      const wire = { kind: 'message', msgId, from: user, device, body, replyTo }
      const write = { send, at: append(conv, wire), by: who }
      writes.push(write)
      // The answer may be lost: then a copy brings the first one that is heard.
      if (prng.chance(0.8)) answer(write, who, false)
    },
    refused(who: Device) {
      const order = (orders.get(`${who.device} c1`) ?? 0) + 1
      orders.set(`${who.device} c1`, order)
      const { user, device } = who
      const msgId = `${device}-refused-${order}`
      const send = history.send({ conv: 'c1', user, device, msgId, order, body: 'no' })
      history.refuse(send, 'REJECTED_SPAM', who.node)
    },
    repeat(who: Device) {
      const mine = writes.filter(({ by }) => by === who)
      if (mine.length > 0) answer(prng.pick(mine), who, true)
    },
    forge(who: Device) {
      const mine = writes.filter(({ by }) => by === who)
      if (mine.length > 0) history.refuse(prng.pick(mine).send, 'PAYLOAD_MISMATCH', who.node, true)
    },
    read(who: Device) {
      const conv = prng.pick(CONVERSATIONS)
      const linearizable = prng.chance(0.5)
      const { device, node } = who
      const rests = `epoch.${who.mark.toString(36)}`
      const asked = history.ask({ device, conv, node, linearizable, rests })
      catchUp(node, linearizable ? log.length : who.mark)
      const held = of(conv, applied.get(node)!).map(({ wire }) => wire)
      const after = Math.min(prng.below(4), held.length)
      const events = held.slice(after, after + 100)
      const upTo = held.length
      history.answer(asked, { events, after, upTo, hasMore: false, mark: show(who) })
    },
    push(who: Device) {
      const conv = prng.pick(CONVERSATIONS)
      catchUp(who.node, who.mark)
      const held = of(conv, applied.get(who.node)!)
      const next = held[who.pushed.get(conv) ?? 0]?.wire
      if (next === undefined) return
      who.pushed.set(conv, next.seq)
      const { device, session, node } = who
      history.push({ device, session, conv, node, mark: show(who) }, next)
    },
    /** An application's stream: what comes next in it. */
    deliver(who: Device) {
      const conv = prng.pick(CONVERSATIONS)
      const next = of(conv, log.length)[handed.get(`${who.device} ${conv}`) ?? 0]?.wire
      if (next === undefined) return
      handed.set(`${who.device} ${conv}`, next.seq)
      history.deliver({ device: who.device, stream: who.device, conv, counted: 'seq' }, next)
    },
    move(who: Device) {
      who.node = prng.pick(NODES)
      who.session += 1
      who.pushed.clear()
    },
  }
  for (const conv of CONVERSATIONS)
    append(conv, { kind: 'member', msgId: `create-${conv}`, from: 'user-1', body: { add: 1 } })
  for (const who of devices) for (let n = 0; n < 3; n++) act.write(who)
  for (const who of devices) act.push(who)
  for (const who of devices) for (let n = 0; n < 6; n++) act.deliver(who)
  const kinds = ['write', 'write', 'write', 'read', 'read', 'push', 'push'] as const
  const rare = ['repeat', 'repeat', 'forge', 'move', 'refused'] as const
  for (let step = 0; step < steps; step++) {
    act[prng.chance(0.25) ? prng.pick(rare) : prng.pick(kinds)](prng.pick(devices))
  }
  for (const node of NODES) {
    for (const conv of CONVERSATIONS) {
      history.final({ node, conv, events: of(conv, log.length).map(({ wire }) => wire) })
    }
  }
  for (const node of NODES) {
    for (const user of ['user-1', 'user-2']) {
      const entries = log.map(({ conv, wire }, at) => ({ inbox: at + 1, conv, seq: wire.seq }))
      history.finalInbox({ node, user, entries })
    }
  }
  history.fault('kill', { injected: 20, evident: 19 })
  history.recovery = {
    tickMs: 50,
    healedMs: 1_000,
    leaderMs: 2_000,
    settledMs: 3_000,
    equalMs: 3_500,
    positions: NODES.map((node) => ({
      node,
      applied: log.length,
      stateHash: 'abc',
      voters: ['1', '2', '3'],
    })),
  }
  return history
}
