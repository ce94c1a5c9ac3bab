import type { StoredMessage } from './store/client-store.ts'
import type { EventDraft, Write } from './write.ts'

/** What the store keeps of a write, with the one before it in its lane. */
export function toStored(draft: EventDraft, write: Write, prev: string | null): StoredMessage {
  const { since, isRepeat, mayHaveBeenSent } = write
  const isQueued = since === null && !mayHaveBeenSent
  const isMessage = draft.t === 'msg:R'
  return {
    msgId: draft.msgId,
    conv: draft.conv ?? null,
    to: (isMessage ? draft.to : null) ?? null,
    body: 'body' in draft ? draft.body : NO_BODY,
    replyTo: (isMessage ? draft.replyTo : null) ?? null,
    large: (isMessage && draft.large) ?? false,
    change: changeOf(draft),
    prev,
    state: isRepeat ? 'repeated' : isQueued ? 'queued' : 'sent',
    since,
    place: null,
  }
}

/** The request that it was, byte for byte (rule A2). */
export function toDraft(stored: StoredMessage): EventDraft {
  const { msgId, body, change } = stored
  if (change === null) {
    return {
      t: 'msg:R',
      conv: stored.conv ?? undefined,
      to: stored.to ?? undefined,
      msgId,
      body,
      replyTo: stored.replyTo ?? undefined,
      large: stored.large ? true : undefined,
    }
  }
  const head = { conv: stored.conv!, msgId, seq: change.seq }
  if (change.kind === 'edit') return { t: 'edit:R', ...head, body }
  if (change.kind === 'recall') return { t: 'recall:R', ...head }
  return { t: 'react:R', ...head, reaction: change.reaction, on: change.on }
}

function changeOf(draft: EventDraft): StoredMessage['change'] {
  if (draft.t === 'msg:R') return null
  const { seq } = draft
  if (draft.t === 'edit:R') return { kind: 'edit', seq }
  if (draft.t === 'recall:R') return { kind: 'recall', seq }
  return { kind: 'reaction', seq, reaction: draft.reaction, on: draft.on }
}

/** msgpack's nil: a recall and a reaction have no body. */
const NO_BODY = Uint8Array.of(0xc0)
