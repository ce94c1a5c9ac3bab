import type { RaftStatus } from '#cluster'
import type { Message } from '../../../cluster/raft/messages.ts'
import { demand, type ObservedReplica, type RaftChecker, violate } from './raft-checker.ts'

interface Said {
  term: number
  vote: string
  commit: number
}

/**
 * R2: a replica's term never falls and it votes once per term, across restarts too, judged by what
 * it said to others; its commit index never falls within one life (Raft §5.1, §5.2).
 */
export class MonotonicPromises implements RaftChecker {
  readonly #said = new Map<string, Said>()

  onMessage(_replica: ObservedReplica, message: Message): void {
    const { type, from, term } = message
    if (type === 'preVote' || type === 'preVoteResponse') return
    const said = this.#of(from)
    if (term < said.term) violate('R2', `${from} says ${type} in term ${term} after ${said.term}`)
    if (term > said.term) {
      said.term = term
      said.vote = ''
    }
    if (type === 'vote') this.#votes(said, from, from, term)
    if (type === 'voteResponse' && !message.rejected) this.#votes(said, from, message.to, term)
  }

  onStatus(_replica: ObservedReplica, { id, commit }: RaftStatus): void {
    const said = this.#of(id)
    if (commit < said.commit) {
      violate('R2', `${id} took its commit ${said.commit} back to ${commit}`)
    }
    said.commit = commit
  }

  onStarted(_replica: ObservedReplica, { id, commit }: RaftStatus): void {
    this.#of(id).commit = commit
  }

  #votes(said: Said, voter: string, candidate: string, term: number): void {
    demand(
      said.vote === '' || said.vote === candidate,
      'R2',
      () => `${voter} voted for ${said.vote} and for ${candidate} in term ${term}`,
    )
    said.vote = candidate
  }

  #of(id: string): Said {
    let said = this.#said.get(id)
    if (said === undefined) {
      said = { term: 0, vote: '', commit: 0 }
      this.#said.set(id, said)
    }
    return said
  }
}
