import { readdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, test } from 'vitest'
import { Transcript } from './testing/transcript.ts'

const FOLDER = join(import.meta.dirname, 'testdata')
const REWRITE = process.env['REWRITE_TRANSCRIPTS'] !== undefined

/** File name without its ending, and what it shows. */
const STORIES = {
  async_storage_writes:
    '[LR2] [CM1] entries leave before they are written, acknowledgements only after',
  async_storage_writes_append_aba_race:
    '[LR3] the completion of a write says nothing of entries that came back under the same index',
  campaign: '[EL2] an election without pre-vote, message by message',
  campaign_learner_must_vote:
    '[EL7] [MB3] a learner that does not know of its promotion votes all the same',
  checkquorum: '[EL5] a leader that hears no majority steps down and keeps its vote',
  confchange_add_single: '[MB3] a replica is added as a learner, catches up, then votes',
  confchange_guards: '[MB2] one change at a time, of one voter, by the leader',
  confchange_not_ready: '[MB2] no change before an entry of the leader’s own term is committed',
  confchange_remove_leader:
    '[MB4] a leader that is removed leads until that is committed, then hands over',
  confchange_removed_must_lead:
    '[MB4] whoever was removed may have to lead once more, until the removal is committed',
  confchange_revert: '[MB1] a change that is cut off the log is undone',
  disruptive_candidate:
    '[EL7] a candidate with a higher term and a shorter log cannot win, but is not stuck either',
  fast_log_rejection:
    '[LR4] a refusal skips whole terms, so that far apart logs meet in few messages',
  heartbeat_resp_recovers_from_probing:
    '[LR5] a probe that was lost is repeated when a heartbeat is answered',
  lagging_commit:
    '[CM3] a follower learns of a commit by a message of its own, and by heartbeat if that is lost',
  leader_closed: '[EL6] a closed connection is enough to ask; one of two who ask at once wins',
  leader_closed_first_refused:
    '[EL6] who asks before the others noticed is asked back when they do',
  lost_acknowledgement_of_old_term:
    '[LR2] an acknowledgement that waits for the disk is forgotten with its term',
  lost_log: '[LR6] a replica whose disk forgot what it acknowledged is told so and falls silent',
  own_term_commit: '[CM2] entries of an older term are not committed by counting (figure 8)',
  prevote: '[EL3] a pre-vote changes nothing on the voter and is asked before the term rises',
  prevote_checkquorum: '[EL4] a voter that hears its leader refuses, and tells the asker so',
  prevote_higher_term: '[EL3] a refused pre-vote teaches the higher term',
  probe_and_replicate: '[LR1] the logs of figure 7 are made equal to the leader’s',
  read_index: '[RI2] a read waits until a majority confirmed the leader after it began',
  read_index_follower:
    '[RI3] a follower asks its leader; without an answer it gives up after an election timeout',
  read_index_lost_leadership: '[RI4] reads of a leader that steps down are refused',
  read_index_new_leader:
    '[RI1] a new leader serves no read before an entry of its own term is committed',
  replicate_pause:
    '[LR5] the window of messages under way is bounded, and a heartbeat’s answer frees it',
  restart: '[LR2] after a power cut a replica is what its disk says',
  single_node: '[CM1] a group of one leads and commits only what is on its own disk',
  slow_follower_after_compaction:
    '[SN1] a follower behind the compacted log gets a snapshot, then the rest',
  snapshot_behind_log: '[SN2] a snapshot that the log holds already replaces nothing',
  snapshot_failed: '[SN1] a stream that failed is tried again, not before the peer answers',
  snapshot_succeed_via_app_resp:
    '[SN1] the acknowledgement of a snapshot ends the wait, whatever was reported',
  snapshot_then_entries:
    '[SN2] an acknowledgement of entries behind a snapshot waits for their own write',
  transfer: '[TR1] leadership is handed to a replica that has everything',
  transfer_timeout: '[TR2] a target that does not take over is given up after an election timeout',
  transfer_to_slow_follower: '[TR1] the target is brought up to date first',
}

describe('transcripts: every message, write and application, as written down', () => {
  test.each(Object.entries(STORIES))('%s: %s', (name) => {
    const path = join(FOLDER, `${name}.txt`)
    const text = readFileSync(path, 'utf8')
    const actual = new Transcript().run(text)
    if (REWRITE) writeFileSync(path, actual)
    else expect(actual).toBe(text)
  })

  test('every file is told', () => {
    const files = readdirSync(FOLDER).filter((file) => file.endsWith('.txt'))
    expect(files.map((file) => file.slice(0, -4)).toSorted()).toEqual(
      Object.keys(STORIES).toSorted(),
    )
  })
})
