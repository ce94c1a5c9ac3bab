import { describe, expect, test } from 'vitest'
import type { Logger } from '../logger.ts'
import type { Formation } from '../log/log-storage.ts'
import { MemoryLog } from '../log/memory-log.ts'
import type { RaftId } from '../raft/types.ts'
import { PeerFrameKind, PeerProtocolError } from '../transport/peer-frame.ts'
import type { PeerHello } from '../transport/peer-hello.ts'
import { ClusterFormation, type InitialMember } from './formation.ts'

const MEMBERS: readonly InitialMember[] = ['n1', 'n2', 'n3'].map((name) => ({
  name,
  peerAddress: `${name}:1`,
  clientUrl: `http://${name}`,
}))

const SILENT = { debug() {}, info() {}, warn() {}, error() {} }

/** A first record that is durable only when the test says so. */
class SlowLog extends MemoryLog {
  #written: (() => void) | null = null

  override async form(formation: Formation): Promise<void> {
    await super.form(formation)
    await new Promise<void>((resolve) => (this.#written = resolve))
  }

  sync(): void {
    this.#written?.()
  }
}

/** One member; frames go to whoever is up, as introduced when the link came up. */
class Member {
  readonly world: Map<RaftId, Member>
  readonly name: string
  readonly log: MemoryLog
  readonly formation: ClusterFormation
  readonly up = new Map<RaftId, PeerHello>()
  readonly strangerTo: string[] = []
  readonly logger = { ...SILENT } as Logger
  complete = false

  constructor(
    world: Map<RaftId, Member>,
    name: string,
    log: MemoryLog,
    initialMembers: readonly InitialMember[] = MEMBERS,
  ) {
    this.world = world
    this.name = name
    this.log = log
    this.formation = new ClusterFormation({
      log: this.log,
      name,
      initialMembers,
      random: { uint32: () => 7, bytes: (length) => new Uint8Array(length).fill(7) },
      logger: this.logger,
      peers: () => [...this.up.values()],
      sendJson: (to, kind, value) => this.#send(to, kind, value),
      onFormed: () => this.reintroduce(),
      onComplete: () => (this.complete = true),
      onStranger: (clusterId) => this.strangerTo.push(clusterId),
      onFatal: (error) => {
        throw error
      },
    })
    world.set(log.raftId, this)
  }

  get hello(): PeerHello {
    const { formation, log, name } = this
    const { clusterId = '', epoch = '' } = formation.formation ?? {}
    return { protocol: { min: 1, max: 1 }, clusterId, epoch, raftId: log.raftId, name }
  }

  linkTo(other: Member): void {
    this.up.set(other.log.raftId, other.hello)
    this.formation.peerUp(other.hello)
  }

  reintroduce(): void {
    for (const id of [...this.up.keys()]) {
      const other = this.world.get(id)!
      this.linkTo(other)
      if (other.up.has(this.log.raftId)) other.linkTo(this)
    }
  }

  #send(to: RaftId, kind: PeerFrameKind, value: unknown): boolean {
    const other = this.world.get(to)
    if (other === undefined || !this.up.has(to)) return false
    const body = new TextEncoder().encode(JSON.stringify(value))
    other.formation.readFrame(this.hello, kind, body)()
    return true
  }
}

function cluster(
  logOf: (name: string, raftId: RaftId) => MemoryLog = (_, raftId) => new MemoryLog({ raftId }),
  initialMembers: readonly InitialMember[] = MEMBERS,
) {
  const world = new Map<RaftId, Member>()
  const members = initialMembers.map(
    ({ name }, i) => new Member(world, name, logOf(name, `${i + 1}`.repeat(16)), initialMembers),
  )
  return members as [Member, Member, Member]
}

function link(...members: Member[]): void {
  for (const from of members) for (const to of members) if (from !== to) from.linkTo(to)
}

const settle = async (): Promise<void> => {
  for (let i = 0; i < 50; i += 1) await Promise.resolve()
}

const formationOf = (member: Member): Formation => member.log.formation!

describe('formation', () => {
  test('[K1] all empty members form one cluster, and none is complete before all wrote it', async () => {
    const [n1, n2, n3] = cluster()
    for (const member of [n1, n2, n3]) member.formation.start()
    link(n1, n2)
    await settle()
    expect(n1.log.formation).toBeNull()
    link(n1, n2, n3)
    await settle()
    expect(formationOf(n2)).toEqual(formationOf(n1))
    expect(formationOf(n3)).toEqual(formationOf(n1))
    expect([n1, n2, n3].map(({ complete }) => complete)).toEqual([true, true, true])
  })

  test('[K1] a member whose record is not durable yet tells nobody that it has one', async () => {
    const logs: SlowLog[] = []
    const [n1, n2, n3] = cluster((name, raftId) => {
      if (name !== 'n2') return new MemoryLog({ raftId })
      logs.push(new SlowLog({ raftId }))
      return logs[0]!
    })
    for (const member of [n1, n2, n3]) member.formation.start()
    link(n1, n2, n3)
    await settle()
    // The offer comes again, and so does an introduction, while the record is being written.
    link(n1, n2, n3)
    await settle()
    expect(n2.log.formation).not.toBeNull()
    expect(n2.hello.clusterId).toBe('')
    expect([n1.complete, n3.complete]).toEqual([false, false])
    logs[0]!.sync()
    await settle()
    expect([n1.complete, n2.complete, n3.complete]).toEqual([true, true, true])
  })

  test('[K1] an election that was held proves that all wrote it, though one died before it said so', async () => {
    const [n1, n2, n3] = cluster()
    for (const member of [n1, n2, n3]) member.formation.start()
    link(n1, n2, n3)
    n2.up.delete(n3.log.raftId)
    await settle()
    const [again] = cluster((name, raftId) => (name === 'n1' ? n2.log : new MemoryLog({ raftId })))
    again.formation.start()
    expect(again.complete).toBe(false)
    again.formation.elected()
    expect(again.complete).toBe(true)
  })

  test('[K1] a member that was taken in and died right after its first record is complete at once', () => {
    const voters = MEMBERS.map((member, i) => ({ ...member, id: `${i + 1}`.repeat(16) }))
    const log = new MemoryLog({ raftId: 'a'.repeat(16) })
    const formation: Formation = {
      clusterId: '07'.repeat(16),
      epoch: '07'.repeat(8),
      configuration: { voters, outgoing: [], learners: [] },
    }
    void log.form(formation)
    const member = new Member(new Map(), 'n3', log)
    member.formation.start()
    expect(member.complete).toBe(true)
  })

  test('[K1] who hears before it begins that a cluster exists founds none', async () => {
    const [lone] = cluster((_, raftId) => new MemoryLog({ raftId }), MEMBERS.slice(0, 1))
    const from: PeerHello = {
      protocol: { min: 1, max: 1 },
      clusterId: '07'.repeat(16),
      epoch: '07'.repeat(8),
      raftId: 'b'.repeat(16),
      name: 'n2',
    }
    lone.up.set(from.raftId, from)
    lone.formation.peerUp(from)
    await settle()
    expect(lone.log.formation).toBeNull()
    const { clusterId } = from
    const body = new TextEncoder().encode(JSON.stringify({ clusterId }))
    lone.formation.readFrame(from, PeerFrameKind.stranger, body)()
    lone.formation.start()
    lone.formation.peerUp(from)
    await settle()
    expect(lone.strangerTo).toEqual([clusterId])
    expect(lone.log.formation).toBeNull()

    const [other] = cluster((_, raftId) => new MemoryLog({ raftId }), MEMBERS.slice(0, 1))
    other.formation.start()
    await settle()
    expect(other.complete).toBe(true)
  })

  test('[K1] nobody is taken into a cluster that the sender is no part of', async () => {
    const [n1] = cluster()
    n1.formation.start()
    const formation = {
      clusterId: '07'.repeat(16),
      epoch: '07'.repeat(8),
      configuration: { voters: [], outgoing: [], learners: [] },
    }
    const body = new TextEncoder().encode(JSON.stringify(formation))
    const from: PeerHello = {
      protocol: { min: 1, max: 1 },
      clusterId: '08'.repeat(16),
      epoch: '07'.repeat(8),
      raftId: 'b'.repeat(16),
      name: 'x',
    }
    for (const kind of [PeerFrameKind.join, PeerFrameKind.form]) {
      expect(() => n1.formation.readFrame(from, kind, body)).toThrow(PeerProtocolError)
    }
    const none = new TextEncoder().encode('{"clusterId":"x"}')
    expect(() => n1.formation.readFrame(from, PeerFrameKind.join, none)).toThrow(PeerProtocolError)
    expect(n1.log.formation).toBeNull()
  })

  test('[K1] no group is founded in which two members bear one Raft id: that is an operator to tell', async () => {
    const complaints: unknown[] = []
    const [n1, n2] = cluster()
    n1.logger.error = (event: string) => void complaints.push(event)
    n1.formation.start()
    n1.up.set(n2.log.raftId, n2.hello)
    n1.up.set('c'.repeat(16), { ...n2.hello, name: 'n3' })
    n1.formation.peerUp(n2.hello)
    await settle()
    expect(complaints).toEqual(['formation.refused'])
    expect(n1.log.formation).toBeNull()
  })

  test('[K1] nobody is taken into a cluster that could not vote', () => {
    const [n1] = cluster()
    const from = { ...n1.hello, clusterId: '07'.repeat(16), epoch: '07'.repeat(8) }
    const member = { ...MEMBERS[0]!, id: 'a'.repeat(16) }
    for (const voters of [[], [member, member], [{ ...member, id: 'x' }], 'n1']) {
      const configuration = { voters, outgoing: [], learners: [] }
      const { clusterId, epoch } = from
      const body = new TextEncoder().encode(JSON.stringify({ clusterId, epoch, configuration }))
      for (const kind of [PeerFrameKind.join, PeerFrameKind.form]) {
        expect(() => n1.formation.readFrame(from, kind, body)).toThrow(PeerProtocolError)
      }
    }
    expect(n1.log.formation).toBeNull()
  })

  test('[K1] an empty directory is told that it is a stranger once the cluster is complete', async () => {
    const [n1, n2, n3] = cluster()
    for (const member of [n1, n2, n3]) member.formation.start()
    link(n1, n2, n3)
    await settle()
    const emptied = new Member(n1.world, 'n3', new MemoryLog({ raftId: 'c'.repeat(16) }))
    emptied.formation.start()
    link(n1, emptied)
    await settle()
    expect(emptied.log.formation).toBeNull()
    expect(emptied.strangerTo).toContain(formationOf(n1).clusterId)
  })
})
