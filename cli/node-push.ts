import { type Command, Option } from 'commander'
import { CliError, ExitCode } from './exit-codes.ts'
import type { ServerOptions } from '#node'

/** What an operator says of calling devices that are away. */
export interface PushFlags {
  readonly pushWebhookUrl?: string
  readonly pushWebhookSecretFile?: string
  readonly pushVapidKeyFile?: string
  readonly pushVapidSubject?: string
  readonly pushHosts?: string
  readonly pushPosition?: boolean
}

const OPTIONS = [
  [
    '--push-webhook-url <url>',
    'told of devices that are away when a message comes for them',
    'PARLEY_PUSH_WEBHOOK_URL',
  ],
  [
    '--push-webhook-secret-file <file>',
    'signs what the webhook is told: at least 32 bytes',
    'PARLEY_PUSH_WEBHOOK_SECRET_FILE',
  ],
  [
    '--push-vapid-key-file <file>',
    'calls browsers by web push: JSON with publicKey and privateKey',
    'PARLEY_PUSH_VAPID_KEY_FILE',
  ],
  [
    '--push-vapid-subject <url>',
    'where push services reach you: mailto: or https:',
    'PARLEY_PUSH_VAPID_SUBJECT',
  ],
  [
    '--push-hosts <hosts>',
    'push services beside those of the great browsers; several with commas',
    'PARLEY_PUSH_HOSTS',
  ],
  [
    '--push-position',
    'calls name the conversation and the seq of the message',
    'PARLEY_PUSH_POSITION',
  ],
] as const

export function configurePush(command: Command): void {
  for (const [flags, description, env] of OPTIONS) {
    command.addOption(new Option(flags, description).env(env))
  }
}

/** @throws CliError naming the flag that is missing */
export function pushOptions(flags: PushFlags): NonNullable<ServerOptions['push']> {
  const { pushWebhookUrl: url, pushWebhookSecretFile: secretFile } = flags
  const { pushVapidKeyFile: keyFile, pushVapidSubject: subject, pushHosts } = flags
  const hosts = (pushHosts ?? '').split(',').flatMap((host) => host.trim() || [])
  return {
    ...(isPair(url, secretFile, '--push-webhook-url', '--push-webhook-secret-file')
      ? { webhook: { url: url!, secretFile: secretFile! } }
      : {}),
    ...(isPair(keyFile, subject, '--push-vapid-key-file', '--push-vapid-subject')
      ? { web: { keyFile: keyFile!, subject: subject!, hosts } }
      : {}),
    withPosition: flags.pushPosition === true,
  }
}

function isPair(a: string | undefined, b: string | undefined, one: string, other: string): boolean {
  if ((a === undefined) === (b === undefined)) return a !== undefined
  const [given, missing] = a === undefined ? [other, one] : [one, other]
  throw new CliError(ExitCode.usage, `${given} needs ${missing} as well`)
}
