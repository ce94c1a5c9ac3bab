import { OPEN } from '../state-machine/members.ts'
import type { ConversationProgress, MemberProgress } from '../state-machine/types.ts'

/** Of somebody who came and went again and again the newest stays are told. */
const MOST_STAYS = 8

/** How a conversation stands, as JSON. */
export function conversationReport(progress: ConversationProgress): object {
  const { id, kind, createdAt, lastAt, head, ord, firstSeq, large, history, retention } = progress
  const { memberCount, listed, members, next } = progress
  return {
    conv: id,
    ...{ kind, createdAt, lastAt: head === 0 ? null : lastAt, head, messages: ord, firstSeq },
    ...{ large, history, retention },
    ...{ memberCount, everMembers: listed, members: members.map(memberReport), next },
  }
}

function memberReport(member: MemberProgress): object {
  const { user, role, isPresent, delivered, undelivered, read, unread } = member
  const stays: [from: number, to: number | null][] = []
  for (let i = 0; i < member.visible.length; i += 2) {
    const to = member.visible[i + 1]!
    stays.push([member.visible[i]!, to === OPEN ? null : to])
  }
  return {
    ...{ user, role, present: isPresent },
    ...{ stays: stays.slice(-MOST_STAYS), moreStays: Math.max(0, stays.length - MOST_STAYS) },
    ...{ delivered, undelivered, read, unread },
  }
}
