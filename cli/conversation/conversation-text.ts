import { counted } from '../counted.ts'
import { table } from '../output.ts'
import { plainText } from '../plain-text.ts'

/** How somebody who is or was a member stands. */
export interface MemberReport {
  readonly user: string
  readonly role: string
  readonly present: boolean
  /** Seqs that he may see; no end while he is there. */
  readonly stays: readonly (readonly [from: number, to: number | null])[]
  readonly moreStays: number
  readonly delivered: number
  readonly undelivered: number
  readonly read: number
  readonly unread: number
}

/** `GET /v1/cluster/conversations/{id}`, with the members of as many pages as were asked for. */
export interface ConversationReport {
  readonly conv: string
  readonly kind: string
  readonly createdAt: number
  readonly lastAt: number | null
  readonly head: number
  readonly messages: number
  readonly firstSeq: number
  readonly large: boolean
  readonly history: boolean
  readonly retention: Readonly<Record<string, number>> | null
  readonly memberCount: number
  readonly everMembers: number
  readonly members: readonly MemberReport[]
  readonly next: number | null
  readonly node: string
  readonly applied: number
}

const EARLIER = 'what was there before'
const LATER = 'what comes after they joined'

/** For people. */
export function conversationText(report: ConversationReport): string {
  const { conv, kind, large, head, messages, firstSeq, createdAt, lastAt, retention } = report
  const { memberCount, everMembers, members, node, applied, history } = report
  const past = everMembers - memberCount
  const newest = lastAt === null ? 'none yet' : `${head}, of ${time(lastAt)}`
  const rules = Object.entries(retention ?? {}).map(([name, value]) => `${name} ${value}`)
  const size = `${counted(memberCount, 'member')}${past === 0 ? '' : `, ${past} more were once`}`
  const lines = [
    `${conv} · ${kind}${large ? ', large' : ''} · ${size} · ${counted(messages, 'message')}`,
    '',
    `  made       ${time(createdAt)}`,
    `  newest     ${newest}`,
    `  kept       ${keptText(firstSeq, head)}`,
    `  retention  ${rules.length === 0 ? 'everything is kept' : rules.join(', ')}`,
    ...(kind === 'direct' ? [] : [`  newcomers  see ${history ? EARLIER : LATER}`]),
    `  as         ${node} has applied it, up to ${applied}`,
  ]
  const columns = ['MEMBER', 'ROLE', 'SEES', 'DELIVERED', 'BEHIND', 'READ', 'UNREAD']
  if (members.length > 0) lines.push('', ...table(columns, members.map(row)).split('\n'))
  const rest = everMembers - members.length
  if (rest > 0) lines.push('', `${rest} more: --limit ${everMembers} shows all`)
  return lines.map((line) => plainText(line)).join('\n')
}

function row(member: MemberReport): string[] {
  const { user, role, present, delivered, undelivered, read, unread } = member
  const numbers = [delivered, undelivered, read, unread].map(String)
  return [user, present ? role : 'left', staysText(member), ...numbers]
}

const staysText = ({ stays, moreStays }: MemberReport): string =>
  (moreStays > 0 ? '…' : '') +
  stays.map(([from, to]) => `${from}–${to === null ? '' : to}`).join(', ')

function keptText(firstSeq: number, head: number): string {
  if (firstSeq > head) return head === 0 ? 'nothing yet' : 'nothing: retention removed it all'
  return firstSeq === 1 ? 'from 1 on' : `from ${firstSeq} on: retention removed what was before`
}

const time = (ms: number): string => new Date(ms).toISOString()
