import { decodeConfiguration, type Configuration } from '../configuration.ts'
import type { Message } from '../messages.ts'
import type { RaftStatus, Ready, StorageAppend } from '../ready.ts'
import { EntryType, NO_ONE, type Entry, type RaftId, type SnapshotMeta } from '../types.ts'
import { numberOf } from './test-replica.ts'

/** `3` for the third replica, `-` for none. */
function formatId(id: RaftId): string {
  return id === NO_ONE ? '-' : String(numberOf(id))
}

/** `2/11 "x"`: term, index and data. */
export function formatEntry(entry: Entry): string {
  const position = `${entry.term}/${entry.index}`
  if (entry.type === EntryType.configuration) {
    return `${position} ${formatConfiguration(decodeConfiguration(entry.data))}`
  }
  return entry.data.length === 0 ? position : `${position} "${Buffer.from(entry.data).toString()}"`
}

export function formatConfiguration(configuration: Configuration): string {
  const ids = (members: Configuration['voters']) => members.map(({ id }) => formatId(id)).join(' ')
  const learners =
    configuration.learners.length > 0 ? ` learners(${ids(configuration.learners)})` : ''
  return `voters(${ids(configuration.voters)})${learners}`
}

export function formatMessage(message: Message): string {
  const { type, from, to, term, ...rest } = message
  const head = `${formatId(from)}→${formatId(to)} ${type} term=${term}`
  switch (message.type) {
    case 'append': {
      const entries = message.entries.map(formatEntry).join(', ')
      const prev = `${message.prevTerm}/${message.prevIndex}`
      return `${head} prev=${prev} commit=${message.commit} [${entries}]`
    }
    case 'appendResponse': {
      const { index, rejected, hintIndex, hintTerm, lastIndex } = message
      return rejected
        ? `${head} rejects=${index} hint=${hintTerm}/${hintIndex} last=${lastIndex}`
        : `${head} accepts=${index} last=${lastIndex}`
    }
    case 'preVote':
    case 'vote': {
      const transfer = message.transfer ? ' transfer' : ''
      return `${head} last=${message.lastTerm}/${message.lastIndex}${transfer}`
    }
    case 'preVoteResponse':
    case 'voteResponse':
      return `${head} ${message.rejected ? 'rejected' : 'granted'}`
    case 'snapshot':
      return `${head} ${formatSnapshot(message.snapshot)}`
    default: {
      const fields = Object.entries(rest).map(([name, value]) => ` ${name}=${String(value)}`)
      return head + fields.join('')
    }
  }
}

function formatSnapshot(snapshot: SnapshotMeta): string {
  return `${snapshot.term}/${snapshot.index} ${formatConfiguration(snapshot.configuration)}`
}

export function formatAppend(append: StorageAppend): string[] {
  const lines: string[] = []
  const { hardState, snapshot } = append
  if (hardState !== null) {
    const { term, vote, commit } = hardState
    lines.push(`write term=${term} vote=${formatId(vote)} commit=${commit}`)
  }
  if (snapshot !== null) lines.push(`write snapshot ${formatSnapshot(snapshot)}`)
  if (append.entries.length > 0) {
    lines.push(`write entries ${append.entries.map(formatEntry).join(', ')}`)
  }
  for (const message of append.responses) lines.push(`  then ${formatMessage(message)}`)
  return lines
}

export function formatReady(ready: Ready): string[] {
  const lines = ready.messages.map((message) => `send ${formatMessage(message)}`)
  if (ready.append !== null) lines.push(...formatAppend(ready.append))
  if (ready.committed.length > 0) {
    lines.push(`apply ${ready.committed.map(formatEntry).join(', ')}`)
  }
  for (const { readId, index } of ready.reads) lines.push(`read ${readId} at ${index}`)
  if (ready.lostLog !== null) {
    const { acknowledged, lastIndex } = ready.lostLog
    lines.push(`lost log: acknowledged ${acknowledged}, ends at ${lastIndex}`)
  }
  return lines
}

export function formatStatus(status: RaftStatus): string[] {
  const { role, term, vote, leader, commit, applied, lastIndex, persisted } = status
  const lines = [
    `${role} term=${term} vote=${formatId(vote)} leader=${formatId(leader)} ` +
      `commit=${commit} applied=${applied} last=${lastIndex} persisted=${persisted}`,
  ]
  for (const { id, state, match, next, learner, active, inflight } of status.progress) {
    lines.push(
      `  ${formatId(id)}: ${state} match=${match} next=${next}` +
        `${learner ? ' learner' : ''}${active ? ' active' : ''} inflight=${inflight}`,
    )
  }
  return lines
}
