import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { PeerFrameKind } from '#cluster'
import { ManualClock } from '../state-machine/testing.ts'
import { decodeSignal, decodeStamped, type Routes } from './signal-codec.ts'
import { SignalRouter } from './signal-router.ts'
import type { Signal } from './signal.ts'

const HEADER_BYTES = 9

/** Routers joined by links that a test moves: what is sent waits until it is let through. */
class Net {
  readonly clock = new ManualClock()
  readonly names: readonly string[]
  readonly routers = new Map<string, SignalRouter>()
  readonly seen = new Map<string, Signal[]>()
  /** What the sessions of processes saw that are gone. */
  readonly seenBefore: Signal[][] = []
  voters: readonly string[]
  leader: { name: string; term: number } | null = null
  /** First in, first out for each pair of nodes. */
  readonly links = new Map<string, (() => void)[]>()

  constructor(names: readonly string[]) {
    this.names = names
    this.voters = names
    for (const name of names) this.#start(name)
  }

  #start(name: string): void {
    const post = (to: string, act: (router: SignalRouter) => void): boolean => {
      const key = `${name}>${to}`
      const queue = this.links.get(key) ?? []
      this.links.set(key, queue)
      queue.push(() => act(this.routers.get(to)!))
      return true
    }
    const seen: Signal[] = []
    this.seen.set(name, seen)
    this.routers.set(
      name,
      new SignalRouter({
        clock: this.clock,
        self: () => name,
        leadingTerm: () => (this.leader?.name === name ? this.leader.term : null),
        voters: () => this.voters,
        peersUp: () => this.names.filter((other) => other !== name),
        send: (to, frame) => {
          const body = frame.subarray(HEADER_BYTES)
          if (frame[8] === PeerFrameKind.signal) {
            return post(to, (router) => router.received(decodeSignal(body)))
          }
          return post(to, (router) => router.stamped(decodeStamped(body)))
        },
        sendJson: (to, _kind, value) => post(to, (router) => router.published(value as Routes)),
        deliver: (signal) => seen.push(signal),
      }),
    )
  }

  /** The process starts anew: what it knew is gone, and its peers hear of the new connection. */
  restart(name: string): void {
    this.routers.get(name)!.close()
    this.seenBefore.push(this.seen.get(name)!)
    for (const [key, queue] of this.links) {
      if (key.startsWith(`${name}>`) || key.endsWith(`>${name}`)) queue.length = 0
    }
    this.#start(name)
    for (const other of this.names) if (other !== name) this.routers.get(other)!.peerUp(name)
  }

  /** Lets one frame of the `at`-th busy link through. */
  step(at: number): void {
    const busy = [...this.links.values()].filter((queue) => queue.length > 0)
    if (busy.length > 0) busy[at % busy.length]!.shift()!()
  }

  settle(): void {
    for (let left = 100_000; left > 0; left -= 1) {
      if ([...this.links.values()].every((queue) => queue.length === 0)) return
      this.step(0)
    }
    throw new Error('the links never come to rest')
  }

  lead(name: string, term: number): void {
    this.leader = { name, term }
    this.clock.advance(500)
  }
}

const signal = (n: number, fields: Partial<Signal> = {}): Signal => ({
  conv: null,
  to: 'bob',
  from: 'alice',
  device: 'a1',
  session: 1,
  sessionWall: 1,
  n,
  ttlMs: 0,
  name: 'typing',
  body: Buffer.from([n & 255]),
  ...fields,
})

const idsOf = (signals: readonly Signal[]) => signals.map(({ from, n }) => `${from}${n}`)

/** Whether `part` is `whole` with some left out. */
function isSubsequence(part: readonly string[], whole: readonly string[]): boolean {
  let at = 0
  for (const each of whole) if (each === part[at]) at += 1
  return at === part.length
}

describe('signals', () => {
  test('[SG2] reach every node in the order of the route', () => {
    const net = new Net(['n1', 'n2', 'n3'])
    net.lead('n2', 1)
    net.settle()
    for (let n = 1; n <= 20; n += 1) net.routers.get('n1')!.publish(signal(n))
    net.settle()
    for (const name of net.names) {
      expect(idsOf(net.seen.get(name)!)).toEqual(
        Array.from({ length: 20 }, (_, i) => `alice${i + 1}`),
      )
    }
  })

  test('[SG4] wait for a route as long as they live, and no longer', () => {
    const net = new Net(['n1', 'n2', 'n3'])
    net.routers.get('n1')!.publish(signal(1))
    net.routers.get('n1')!.publish(signal(2, { ttlMs: 100 }))
    net.routers.get('n1')!.publish(signal(3, { ttlMs: 5_000 }))
    net.lead('n1', 1)
    net.settle()
    expect(idsOf(net.seen.get('n3')!)).toEqual(['alice3'])
    expect(net.routers.get('n1')!.dropped).toBe(2)
  })

  test('[SG3] of one device through an older gateway come too late', () => {
    const net = new Net(['n1', 'n2', 'n3'])
    net.lead('n1', 1)
    net.settle()
    net.routers.get('n1')!.publish(signal(1, { session: 20 }))
    net.settle()
    net.routers.get('n3')!.publish(signal(9, { session: 10 }))
    net.settle()
    expect(idsOf(net.seen.get('n2')!)).toEqual(['alice1'])
  })

  test('[SG3] of a later session come after, while nothing is written too', () => {
    const net = new Net(['n1', 'n2', 'n3'])
    net.lead('n1', 1)
    net.settle()
    net.routers.get('n1')!.publish(signal(100, { session: 20, sessionWall: 5 }))
    net.settle()
    net.routers.get('n3')!.publish(signal(1, { session: 20, sessionWall: 6 }))
    net.settle()
    expect(idsOf(net.seen.get('n2')!)).toEqual(['alice100', 'alice1'])
  })

  test('[M-24] [SG3] members see one order or parts of it, also while routes and leaders change', () => {
    const act = fc.oneof(
      {
        weight: 6,
        arbitrary: fc.record({ kind: fc.constant('send' as const), at: fc.nat(4), who: fc.nat(2) }),
      },
      {
        weight: 12,
        arbitrary: fc.record({
          kind: fc.constant('step' as const),
          at: fc.nat(30),
          who: fc.nat(0),
        }),
      },
      {
        weight: 1,
        arbitrary: fc.record({ kind: fc.constant('lead' as const), at: fc.nat(4), who: fc.nat(0) }),
      },
      {
        weight: 1,
        arbitrary: fc.record({
          kind: fc.constant('voters' as const),
          at: fc.nat(4),
          who: fc.nat(0),
        }),
      },
      {
        weight: 1,
        arbitrary: fc.record({
          kind: fc.constant('restart' as const),
          at: fc.nat(4),
          who: fc.nat(0),
        }),
      },
    )
    let shown = 0
    fc.assert(
      fc.property(fc.array(act, { minLength: 40, maxLength: 200 }), (acts) => {
        const net = new Net(['n1', 'n2', 'n3', 'n4', 'n5'])
        net.lead('n1', 1)
        net.settle()
        let n = 0
        let term = 1
        for (const { kind, at, who } of acts) {
          const name = net.names[at]!
          if (kind === 'send') {
            n += 1
            const from = ['alice', 'bob', 'carol'][who]!
            net.routers.get(name)!.publish(signal(n, { from, device: from, conv: 'g', to: null }))
          } else if (kind === 'step') net.step(at)
          else if (kind === 'lead') net.lead(name, (term += 1))
          else if (kind === 'voters') {
            net.voters = net.names.filter((one) => one !== name)
            net.clock.advance(500)
          } else net.restart(name)
        }
        net.settle()
        const lists = [...net.seen.values(), ...net.seenBefore].map(idsOf)
        // Of two lists, what both have stands in the same order in both, nothing stands twice, and what
        // a device sent later comes later.
        for (const one of lists) {
          expect(new Set(one).size).toBe(one.length)
          for (const from of ['alice', 'bob', 'carol']) {
            const own = one
              .filter((id) => id.startsWith(from))
              .map((id) => Number(id.slice(from.length)))
            expect(own).toEqual(own.toSorted((a, b) => a - b))
          }
          for (const other of lists) {
            const common = one.filter((id) => other.includes(id))
            expect(isSubsequence(common, other)).toBe(true)
          }
          shown += one.length
        }
      }),
      { numRuns: 300 },
    )
    expect(shown).toBeGreaterThan(1_000)
  })
})
