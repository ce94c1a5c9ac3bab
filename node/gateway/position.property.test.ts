import assert from 'node:assert/strict'
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { accepted } from './testing/fake-backend.ts'
import { fixture } from './testing/fixture.ts'
import type { MemoryConnection } from './testing/memory-connection.ts'
import { conversation, event, helloFrame, messageFrame } from './testing/samples.ts'

/** What happens next: to the conversations, to the client, or to the node's reads. */
const step = fc.constantFrom(
  'event',
  'event',
  'event',
  'burst',
  'own event',
  'large event',
  'turn',
  'time',
  'client reads',
  'client reads',
  'ping',
  'slow',
  'drain',
  'reads stall',
  'reads go on',
  'reconnect',
)

const OPTIONS = { maxPushAhead: 6, maxUnackedEvents: 8, slowBytes: 2_000, maxPageEvents: 5 }

/** Follows `docs/protocol.md`: handles what is next, and syncs where anything tells of more. */
class Follower {
  cursor = 0
  /** What it handled, in order. */
  readonly inboxes: number[] = []
  connection: MemoryConnection
  /** Position by the rule: the last number written to this session. */
  #written: number
  #taken = 0
  #syncing = false
  #id = 100
  #mode: 'push' | 'notify'

  constructor(connection: MemoryConnection, mode: 'push' | 'notify') {
    this.connection = connection
    this.#written = 0
    this.#mode = mode
    this.hello()
  }

  hello(): void {
    this.#taken = 0
    this.#syncing = false
    this.#written = this.cursor
    const resume = { epoch: 'e1', inbox: this.cursor }
    this.connection.write(helloFrame({ device: 'phone', mode: this.#mode, resume }))
  }

  ping(): void {
    this.connection.write({ t: 'ping:R', id: this.#id++, inbox: this.cursor })
  }

  read(): void {
    const frames = this.connection.frames
    while (this.#taken < frames.length) {
      const frame = frames[this.#taken++]!
      if ('error' in frame) continue
      if (frame.t === 'msg:N' && frame.kind !== undefined && typeof frame.inbox === 'number') {
        // The rule that a server keeps: whole only what follows on what was written.
        assert.equal(frame.inbox, this.#written + 1)
        this.#written = frame.inbox
      }
      if (frame.t === 'msg:A' && frame.inbox === this.#written + 1) this.#written++
      if (frame.t === 'sync:A') {
        this.#syncing = false
        this.#written = frame.hasMore ? frame.next : Math.max(frame.next, this.#written)
        assert.deepEqual(
          frame.events.map(({ inbox }) => inbox),
          frame.events.map((_, at) => frame.next - frame.events.length + 1 + at),
        )
        for (const { inbox } of frame.events) this.#handle(inbox)
        if (frame.hasMore) this.#sync()
      } else if ('inbox' in frame && typeof frame.inbox === 'number')
        this.#handle(frame.inbox, frame)
    }
  }

  #handle(inbox: number, frame?: { readonly t: string; readonly kind?: unknown }): void {
    const isWhole = frame === undefined || frame.t === 'msg:A' || frame.kind !== undefined
    if (isWhole && inbox === this.cursor + 1) {
      this.cursor = inbox
      this.inboxes.push(inbox)
    } else if (inbox > this.cursor) this.#sync()
  }

  #sync(): void {
    if (this.#syncing) return
    this.#syncing = true
    const id = this.#id++
    this.connection.write({ t: 'sync:R', id, after: this.cursor, limit: 5, ack: this.cursor })
  }
}

describe('session position', () => {
  it.each(['push', 'notify'] as const)(
    '[GW30] [GW31] [GW32] a client that follows the page misses nothing, however it comes: %s',
    async (mode) => {
      const run = fc.asyncProperty(
        fc.array(step, { minLength: 5, maxLength: 120 }),
        fc.nat(20),
        async (steps, before) => {
          const { backend, clock, connect, gateway, tell } = fixture(OPTIONS)
          let seq = 0
          const next = (more = {}) => tell('c1', ['alice'], event((seq += 1), more))
          for (let i = 0; i < before; i += 1) next()
          const client = new Follower(connect(), mode)
          let release = () => {}
          for (const [at, what] of steps.entries()) {
            if (what === 'event') next()
            else if (what === 'burst') for (let i = 0; i < 12; i += 1) next()
            else if (what === 'large event') {
              gateway.onEvent(conversation('big', 'alice'), event(at + 1))
            } else if (what === 'own event') {
              const msgId = `own${at}`
              client.connection.write(messageFrame(at, msgId))
              const written = backend.submissions.at(-1)
              if (written?.submission.msgId !== msgId) continue
              next({ from: 'alice', device: 'phone', msgId })
              written.done({ ...accepted(written.submission, seq), inbox: seq } as never)
            } else if (what === 'turn') await clock.settle()
            else if (what === 'time') await clock.advance(60)
            else if (what === 'client reads') client.read()
            else if (what === 'ping') client.ping()
            else if (what === 'slow') client.connection.reading = false
            else if (what === 'drain') client.connection.drain()
            else if (what === 'reads stall') {
              release()
              backend.state.slowInbox = new Promise((resolve) => (release = resolve))
            } else if (what === 'reads go on') {
              release()
              backend.state.slowInbox = null
            } else {
              client.connection.onClose(1006)
              client.connection = connect()
              client.hello()
            }
          }
          release()
          backend.state.slowInbox = null
          client.connection.drain()
          // Heartbeats alone repair what is left.
          for (let i = 0; i < 100 && client.cursor < seq; i += 1) {
            await clock.advance(100)
            client.read()
            client.ping()
          }
          expect(client.cursor).toBe(seq)
          expect(client.inboxes).toEqual(client.inboxes.map((_, at) => at + 1))
        },
      )
      await fc.assert(run, { numRuns: 300 })
    },
  )
})
