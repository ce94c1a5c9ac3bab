import { readFile } from 'node:fs/promises'
import type { Clock } from '#cluster'
import { StartError } from '../data-directory.ts'
import type { PushProvider, PushSettings } from '../push/push-provider.ts'
import { WebhookProvider } from '../push/webhook-provider.ts'
import type { PushTarget } from '../state-machine/commands.ts'
import { HTTP_POST } from './http-post.ts'
import { type VapidKeys, webPushProvider } from './web-push-provider.ts'

/** What an operator says of push, as flags or in the environment. */
export interface PushOptions {
  readonly webhook?: { readonly url: string; readonly secretFile: string }
  readonly web?: {
    /** JSON: `publicKey` and `privateKey`, as `npx web-push generate-vapid-keys --json` prints them. */
    readonly keyFile: string
    readonly subject: string
    /** Push services beside those of the great browsers: `host` or `host:port`. */
    readonly hosts?: readonly string[]
  }
  /** @default false */
  readonly withPosition?: boolean
}

const MIN_SECRET_BYTES = 32

const LOOPBACK = /^(localhost|127(\.\d+){3}|\[::1\])$/

/** Of the push services of browsers; what stands before is theirs. */
const PUSH_SERVICES = [
  'fcm.googleapis.com',
  'push.services.mozilla.com',
  'push.apple.com',
  'notify.windows.com',
]

/**
 * Reads what the options name; `null` if they ask for nothing.
 *
 * @throws StartError naming the file or option that is wrong
 */
export async function readPushSettings(
  { webhook, web, withPosition = false }: PushOptions,
  clock: Clock,
): Promise<PushSettings | null> {
  const providers: PushProvider[] = []
  if (webhook !== undefined) providers.push(await webhookOf(webhook, clock))
  const keys = web === undefined ? null : await vapidKeys(web.keyFile)
  if (web !== undefined && keys !== null) providers.push(webOf(web, keys))
  if (providers.length === 0) return null
  return {
    providers,
    withPosition,
    vapidPublicKey: keys?.publicKey ?? null,
    endpointFault: (target) => endpointFault(target, web?.hosts ?? []),
  }
}

async function webhookOf(
  { url, secretFile }: NonNullable<PushOptions['webhook']>,
  clock: Clock,
): Promise<PushProvider> {
  if (!URL.canParse(url) || !/^https?:$/.test(new URL(url).protocol)) {
    throw new StartError(`--push-webhook-url must be http: or https:, not "${url}"`)
  }
  const text = (await readable(secretFile)).trim()
  const secret = Buffer.from(text)
  if (secret.length < MIN_SECRET_BYTES) {
    throw new StartError(`${secretFile} must hold a secret of at least ${MIN_SECRET_BYTES} bytes`)
  }
  return new WebhookProvider({ url, secret, http: HTTP_POST, clock })
}

function webOf(
  { keyFile, subject }: NonNullable<PushOptions['web']>,
  keys: VapidKeys,
): PushProvider {
  try {
    return webPushProvider({ keys, subject, http: HTTP_POST })
  } catch (error) {
    const { message } = error as Error
    throw new StartError(`--push-vapid-key-file ${keyFile} or --push-vapid-subject: ${message}`)
  }
}

async function vapidKeys(path: string): Promise<VapidKeys> {
  const text = await readable(path)
  try {
    const { publicKey, privateKey } = JSON.parse(text) as Partial<VapidKeys>
    if (typeof publicKey === 'string' && typeof privateKey === 'string') {
      return { publicKey, privateKey }
    }
  } catch {
    // Told below, as whatever else is no such file.
  }
  throw new StartError(
    `${path} must be JSON with publicKey and privateKey; npx web-push generate-vapid-keys --json prints it`,
  )
}

/** Users name the endpoints: a node sends to push services, never to what stands beside it. */
function endpointFault(target: PushTarget, hosts: readonly string[]): string | null {
  if (target.kind !== 'web') return null
  const { protocol, host, hostname } = new URL(target.endpoint)
  const isNamed = hosts.includes(host) || hosts.includes(hostname)
  const isKnown = PUSH_SERVICES.some((one) => host === one || host.endsWith(`.${one}`))
  if (protocol === 'https:' && (isNamed || isKnown)) return null
  if (protocol === 'http:' && isNamed && LOOPBACK.test(hostname)) return null
  return `endpoint must be https: at a push service that this node knows, not at ${host}`
}

async function readable(path: string): Promise<string> {
  try {
    return await readFile(path, 'utf8')
  } catch (error) {
    throw new StartError(`cannot read ${path}: ${(error as Error).message}`)
  }
}
