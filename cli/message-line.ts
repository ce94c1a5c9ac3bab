import type { ChatMessage } from '#client'

export interface LineOptions {
  /** Now, in wall time: what is not of today shows its date. */
  readonly nowMs: number
  /** Longer texts are cut, and say so. */
  readonly maxCharacters: number
}

/** One line about a message, in local time. */
export function messageLine(message: ChatMessage, options: LineOptions): string {
  const { conversation, seq, from, replyTo } = message
  const answers = replyTo === null ? '' : ` (to ${replyTo})`
  const when = clock(message.at, options.nowMs)
  return `${when}  ${conversation}  ${seq}  ${from}${answers}: ${textOf(message, options.maxCharacters)}`
}

function textOf(message: ChatMessage, maxCharacters: number): string {
  if (message.recalled) return '(recalled)'
  if (message.expired) return '(expired)'
  return bodyText(message.body, maxCharacters)
}

/** What somebody wrote, on one line. */
export function bodyText(body: unknown, maxCharacters: number): string {
  const text = typeof body === 'string' ? body : (JSON.stringify(body) ?? '')
  if (text.length <= maxCharacters) return visible(text)
  // Between the halves of a surrogate pair nothing is cut.
  const start = text.slice(0, maxCharacters).replace(/[\uD800-\uDBFF]$/, '')
  return `${visible(start)}… (${text.length} characters, --json prints them all)`
}

/**
 * What someone else wrote must not drive the terminal. The two joiners stay: they can do no harm, and
 * many scripts and emoji are wrong without them.
 */
function visible(text: string): string {
  return text.replace(/(?![\u200c\u200d])[\p{Cc}\p{Cf}\u2028\u2029]/gu, (character) =>
    character === '\n' ? '⏎' : `\\u${character.codePointAt(0)!.toString(16).padStart(4, '0')}`,
  )
}

function clock(atMs: number, nowMs: number): string {
  const at = new Date(atMs)
  const two = (value: number) => String(value).padStart(2, '0')
  const time = [at.getHours(), at.getMinutes(), at.getSeconds()].map(two).join(':')
  if (at.toDateString() === new Date(nowMs).toDateString()) return time
  return `${at.getFullYear()}-${two(at.getMonth() + 1)}-${two(at.getDate())} ${time}`
}
