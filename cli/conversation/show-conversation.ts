import { type AdminCall, adminPage } from '../cluster/admin-call.ts'
import { plainJson } from '../plain-text.ts'
import type { ConversationReport, MemberReport } from './conversation-text.ts'

/**
 * How the conversation stands, with its first `limit` members: page by page, each at least as new as
 * the one before. What is said of the conversation itself is of the last page.
 *
 * @throws CliError
 */
export async function showConversation(
  conversation: string,
  limit: number,
  call: AdminCall,
): Promise<ConversationReport> {
  const path = `/v1/cluster/conversations/${encodeURIComponent(conversation)}`
  const members: MemberReport[] = []
  let mark: string | null = null
  for (let from = 0; ;) {
    const answer = await adminPage(`${path}?membersFrom=${from}`, { ...call, mark })
    const page = plainJson(answer.said) as ConversationReport
    mark = answer.mark
    members.push(...page.members)
    if (page.next === null || members.length >= limit) {
      return { ...page, members: members.slice(0, limit) }
    }
    from = page.next
  }
}
