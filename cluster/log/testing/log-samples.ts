import { encodeConfiguration, type Configuration } from '../../raft/configuration.ts'
import { EntryType, type Entry } from '../../raft/types.ts'
import type { AppendRequest, Formation, LogStorage } from '../log-storage.ts'

export const ALICE = 'a1a1a1a1a1a1a1a1'
export const BOB = 'b2b2b2b2b2b2b2b2'

export function configuration(...ids: string[]): Configuration {
  const voters = ids.map((id, at) => ({
    id,
    name: `n${at + 1}`,
    peerAddress: `127.0.0.1:${7501 + at}`,
    clientUrl: `http://127.0.0.1:${7401 + at}`,
  }))
  return { voters, outgoing: [], learners: [] }
}

export const FORMATION: Formation = {
  clusterId: '00112233445566778899aabbccddeeff',
  epoch: 'feedfacecafebeef',
  configuration: configuration(ALICE),
}

export function entry(index: number, term: number, text = `entry ${index} of term ${term}`): Entry {
  return { index, term, type: EntryType.normal, data: Buffer.from(text) }
}

export function configurationEntry(index: number, term: number, ...ids: string[]): Entry {
  const data = encodeConfiguration(configuration(...ids))
  return { index, term, type: EntryType.configuration, data }
}

/** Entries `from` … `to` of one term, each with `bytes` bytes of its own. */
export function entries(from: number, to: number, term: number, bytes = 20): Entry[] {
  const result: Entry[] = []
  for (let index = from; index <= to; index++) {
    result.push(entry(index, term, `${index}/${term} `.padEnd(bytes, '.')))
  }
  return result
}

export function append(log: LogStorage, request: Partial<AppendRequest>): Promise<void> {
  return new Promise((resolve, reject) => {
    log.append({ hardState: null, entries: [], snapshot: null, ...request }, (error) =>
      error === null ? resolve() : reject(error),
    )
  })
}

/** All that a log says, for comparing two. Where it starts is left out: more may be kept. */
export function contentOf(log: LogStorage, from = log.firstIndex()): object {
  const all = log.entries(from, log.lastIndex() + 1, Infinity)
  return {
    formation: log.formation,
    hardState: log.hardState,
    lastIndex: log.lastIndex(),
    lastTerm: log.term(log.lastIndex()),
    configuration: log.configurationAt(log.lastIndex()),
    entries: all?.map(({ index, term, type, data }) => ({
      index,
      term,
      type,
      data: Buffer.from(data).toString('latin1'),
      termAsked: log.term(index),
    })),
  }
}
