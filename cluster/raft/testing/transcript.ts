import { assert } from '../../assert.ts'
import type { Message } from '../messages.ts'
import { EntryType, NO_ONE } from '../types.ts'
import {
  formatAppend,
  formatConfiguration,
  formatEntry,
  formatMessage,
  formatReady,
  formatStatus,
} from './format.ts'
import { TestCluster } from './test-cluster.ts'
import {
  configurationOf,
  idOf,
  numberOf,
  type TestOptions,
  type TestReplica,
} from './test-replica.ts'

/**
 * Runs a transcript: blocks of a command line, `----`, what it prints, and an empty line. Lines with
 * `#` before a block are kept. Nothing happens but by a command, so that every order of events can
 * be written down. The commands stand in `testdata/README.md`.
 */
export class Transcript {
  #cluster = new TestCluster([1])

  /** The same text with what the commands print today. */
  run(text: string): string {
    return text
      .split(/\n{2,}/)
      .filter((block) => block.trim() !== '')
      .map((block) => this.#block(block.trim()))
      .join('\n\n')
      .concat('\n')
  }

  #block(block: string): string {
    const given = block.split('\n----')[0]!
    const lines = given.split('\n')
    const commands = lines.filter((line) => !line.startsWith('#') && line !== '')
    if (commands.length === 0) return given
    const output = commands.flatMap((line) => this.#command(line))
    return [given, '----', ...(output.length > 0 ? output : ['ok'])].join('\n')
  }

  #command(line: string): string[] {
    const [name = '', ...words] = line.split(/\s+/)
    const run = COMMANDS[name]
    assert(run !== undefined, `unknown command: ${line}`)
    if (name === 'cluster') {
      this.#cluster = newCluster(new Words(words))
      return []
    }
    const output = run(this.#cluster, new Words(words.filter((word) => word !== 'quiet')))
    return words.at(-1) === 'quiet' ? [] : output
  }
}

/** `1 2 key=value`: positions and named values of a command line. */
class Words {
  readonly plain: string[] = []
  readonly #named = new Map<string, string>()

  constructor(words: readonly string[]) {
    for (const word of words) {
      const at = word.indexOf('=')
      if (at > 0) this.#named.set(word.slice(0, at), word.slice(at + 1))
      else this.plain.push(word)
    }
  }

  number(position: number): number {
    const value = Number(this.plain[position])
    assert(Number.isSafeInteger(value), `argument ${position + 1} is not a number`)
    return value
  }

  numbers(): number[] {
    return this.plain.map(Number)
  }

  has(word: string): boolean {
    return this.plain.includes(word)
  }

  named(name: string): string | undefined {
    return this.#named.get(name)
  }

  list(name: string): number[] {
    const value = this.#named.get(name)
    return value === undefined || value === '' ? [] : value.split(',').map(Number)
  }
}

type Command = (cluster: TestCluster, words: Words) => string[]

const OPTIONS = [
  'electionTicks',
  'maxInflightMessages',
  'maxInflightBytes',
  'maxAppendBytes',
  'maxUncommittedBytes',
  'maxCommittedBytes',
] as const

function newCluster(words: Words): TestCluster {
  const options: { -readonly [K in keyof TestOptions]: TestOptions[K] } = {}
  for (const name of OPTIONS) {
    const value = words.named(name)
    if (value !== undefined) options[name] = Number(value)
  }
  if (words.named('preVote') === 'off') options.preVote = false
  if (words.named('checkQuorum') === 'off') options.checkQuorum = false
  const learners = words.list('learners')
  const outside = words.list('outside')
  return new TestCluster(words.numbers(), options, { learners, outside })
}

function chosen(words: Words): (message: Message) => boolean {
  const from = words.named('from')
  const to = words.named('to')
  const type = words.named('type')
  return (message) =>
    (from === undefined || message.from === idOf(Number(from))) &&
    (to === undefined || message.to === idOf(Number(to))) &&
    (type === undefined || type.split(',').includes(message.type))
}

function takeReady(cluster: TestCluster, number: number): string[] {
  const replica = cluster.get(number)
  if (!replica.raft.hasReady()) return []
  const ready = replica.ready()
  cluster.network.push(...ready.messages)
  return formatReady(ready)
}

function persist(cluster: TestCluster, number: number): string[] {
  const responses = cluster.get(number).persist()
  cluster.network.push(...responses)
  return responses.map((message) => `send ${formatMessage(message)}`)
}

/** Readies, then writes, then messages, of one replica after the other, until nothing is left. */
function stabilize(cluster: TestCluster, words: Words): string[] {
  const given = words.plain.map(Number).filter((number) => number > 0)
  const numbers = given.length > 0 ? given : cluster.numbers()
  const lines: string[] = []
  for (let round = 0; round < 100; round++) {
    const before = lines.length
    for (const number of numbers) {
      const ready = takeReady(cluster, number)
      if (ready.length > 0) lines.push(`${number} ready`, ...ready.map(indent))
    }
    for (const number of numbers) {
      if (cluster.get(number).writing === null) continue
      lines.push(`${number} persisted`, ...persist(cluster, number).map(indent))
    }
    for (const number of numbers) {
      const taken = cluster.deliver(number, (message) => numbers.includes(numberOf(message.from)))
      if (taken.length > 0)
        lines.push(`${number} receives`, ...taken.map((m) => indent(formatMessage(m))))
    }
    if (lines.length === before) return lines
  }
  throw new Error('the cluster does not come to rest')
}

function indent(line: string): string {
  return `  ${line}`
}

function result(outcome: { accepted: boolean; reason?: string; detail?: string }): string[] {
  if (outcome.accepted) return []
  return [[outcome.reason, outcome.detail].filter(Boolean).join(': ')]
}

const COMMANDS: Readonly<Record<string, Command>> = {
  cluster: () => [],
  campaign: (cluster, words) => {
    cluster.get(words.number(0)).raft.campaign()
    return []
  },
  tick: (cluster, words) => {
    cluster.tick(words.number(0), words.plain.length > 1 ? words.number(1) : 1)
    return []
  },
  propose: (cluster, words) => {
    const data = words.plain.slice(1).map((text) => Buffer.from(text))
    return result(cluster.get(words.number(0)).raft.propose(data))
  },
  configure: (cluster, words) => {
    const next = configurationOf(words.list('voters'), words.list('learners'))
    return result(cluster.get(words.number(0)).raft.proposeConfiguration(next))
  },
  transfer: (cluster, words) =>
    result(cluster.get(words.number(0)).raft.transferLeadership(idOf(words.number(1)))),
  read: (cluster, words) => {
    cluster.get(words.number(0)).raft.readIndex(words.number(1))
    return []
  },
  ready: (cluster, words) => takeReady(cluster, words.number(0)),
  persist: (cluster, words) => persist(cluster, words.number(0)),
  writing: (cluster, words) => {
    const { writing } = cluster.get(words.number(0))
    return writing === null ? [] : formatAppend(writing)
  },
  deliver: (cluster, words) =>
    cluster.deliver(words.number(0), chosen(words)).map((message) => formatMessage(message)),
  drop: (cluster, words) => cluster.drop(chosen(words)).map((message) => formatMessage(message)),
  network: (cluster) => cluster.network.map((message) => formatMessage(message)),
  stabilize,
  status: (cluster, words) => formatStatus(cluster.get(words.number(0)).raft.status()),
  configuration: (cluster, words) => {
    const { raft } = cluster.get(words.number(0))
    const committed = raft.configurationCommitted ? '' : ' (not committed)'
    return [formatConfiguration(raft.configuration) + committed]
  },
  log: (cluster, words) => {
    const { log } = cluster.get(words.number(0))
    return [`from ${log.firstIndex()} to ${log.lastIndex()}`, ...log.all().map(formatEntry)]
  },
  compact: (cluster, words) => {
    cluster.get(words.number(0)).log.compact(words.number(1))
    return []
  },
  unreachable: (cluster, words) => {
    cluster.get(words.number(0)).raft.reportUnreachable(idOf(words.number(1)))
    return []
  },
  connected: (cluster, words) => {
    cluster.get(words.number(0)).raft.reportConnected(idOf(words.number(1)))
    return []
  },
  leaderClosed: (cluster, words) => {
    cluster.get(words.number(0)).raft.leaderConnectionClosed()
    return []
  },
  snapshotSent: (cluster, words) => {
    cluster.get(words.number(0)).raft.reportSnapshot(idOf(words.number(1)), words.has('ok'))
    return []
  },
  restart: (cluster, words) => {
    cluster.get(words.number(0)).restart({ keepWrite: words.has('written') })
    return []
  },
  give: (cluster, words) => {
    const replica = cluster.get(words.number(0))
    const entries = words.plain.slice(1).map((term, at) => {
      const data = Buffer.from(`${term}.${at + 1}`)
      return { term: Number(term), index: at + 1, type: EntryType.normal, data }
    })
    const term = Number(words.named('term') ?? entries.at(-1)?.term ?? 0)
    const commit = Number(words.named('commit') ?? 0)
    replica.log.write({ hardState: { term, vote: NO_ONE, commit }, entries, snapshot: null })
    replica.restart({ keepWrite: false })
    return []
  },
  forget: (cluster, words) => {
    const replica: TestReplica = cluster.get(words.number(0))
    replica.log.forgetFrom(words.number(1))
    replica.restart({ keepWrite: false })
    return []
  },
}
