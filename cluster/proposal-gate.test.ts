import { describe, expect, test } from 'vitest'
import type { Clock } from './ports.ts'
import { ProposalGate } from './proposal-gate.ts'
import { ProposalQueue } from './proposal-queue.ts'
import { DEFAULT_REPLICA_OPTIONS } from './replica-options.ts'
import type { StateMachine } from './state-machine.ts'

const options = { ...DEFAULT_REPLICA_OPTIONS, maxHeldBytes: 100, maxHoldMs: 1_000 }

function setUp() {
  let now = 0
  let timers: { at: number; run: () => void }[] = []
  const clock: Clock = {
    wallMs: () => now,
    monotonicMs: () => now,
    after: (delayMs, run) => {
      const timer = { at: now + delayMs, run }
      timers.push(timer)
      return { cancel: () => (timers = timers.filter((each) => each !== timer)) }
    },
    defer: (run) => run(),
  }
  const stateMachine = { overloaded: false }
  const applies = { lagMs: 0 }
  const queue = new ProposalQueue(options)
  let looks = 0
  const gate = new ProposalGate({
    options,
    clock,
    stateMachine: stateMachine as StateMachine,
    applies,
    queue,
    look: () => {
      looks += 1
      void gate.closed
    },
  })
  const advance = (ms: number): void => {
    now += ms
    const due = timers.filter(({ at }) => at <= now)
    timers = timers.filter(({ at }) => at > now)
    for (const { run } of due) run()
  }
  return {
    gate,
    queue,
    applies,
    stateMachine,
    advance,
    looks: () => looks,
    timers: () => timers.length,
  }
}

describe('[K3] proposals while checkpoints catch up', () => {
  test('wait, and are looked at until they may go', () => {
    const { gate, stateMachine, advance, looks, timers } = setUp()
    expect(gate.closed).toBe(false)
    expect(timers()).toBe(0)
    stateMachine.overloaded = true
    expect([gate.closed, gate.closed]).toEqual([true, true])
    expect(timers()).toBe(1)
    advance(2)
    advance(2)
    expect(looks()).toBe(2)
    stateMachine.overloaded = false
    advance(2)
    expect([looks(), timers()]).toEqual([3, 0])
  })

  test('are taken up to a bound of bytes', () => {
    const { gate, queue, stateMachine } = setUp()
    queue.push(new Uint8Array(100))
    expect(gate.closed || gate.full).toBe(false)
    stateMachine.overloaded = true
    expect(gate.closed && gate.full).toBe(true)
    queue.take()
    expect(gate.full).toBe(false)
  })

  test('are taken no more once nothing went for long, and again as soon as it does', () => {
    const { gate, stateMachine, advance } = setUp()
    stateMachine.overloaded = true
    expect(gate.closed).toBe(true)
    advance(999)
    expect(gate.full).toBe(false)
    advance(1)
    expect(gate.full).toBe(true)
    stateMachine.overloaded = false
    expect(gate.full).toBe(false)
    expect(gate.closed).toBe(false)
    stateMachine.overloaded = true
    expect(gate.closed).toBe(true)
    expect(gate.full).toBe(false)
  })

  test('wait while applying is behind, and are refused once it has been for long', () => {
    const { gate, applies, advance } = setUp()
    applies.lagMs = options.maxApplyLagMs
    expect(gate.closed).toBe(false)
    applies.lagMs += 1
    expect(gate.closed).toBe(true)
    expect(gate.full).toBe(false)
    advance(1_000)
    expect(gate.full).toBe(true)
    applies.lagMs = 0
    expect(gate.closed || gate.full).toBe(false)
  })

  test('are not looked at after the end', () => {
    const { gate, stateMachine, timers } = setUp()
    stateMachine.overloaded = true
    expect(gate.closed).toBe(true)
    gate.stop()
    expect(timers()).toBe(0)
  })
})
