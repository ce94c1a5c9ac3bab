import {
  CloseCode,
  type HelloRequest,
  LIMITS,
  negotiateVersion,
  SUPPORTED_VERSIONS,
  type WireError,
  wireError,
} from '#protocol'
import type { CloseReason } from '../../metrics/gateway-metrics.ts'
import { type Identity, isRefusal } from '../auth.ts'
import { clientKey } from '../client-address.ts'
import { drainingError, type GatewayContext, spreadMs, uniform } from '../gateway-context.ts'
import { formatMark } from '../mark.ts'
import type { PendingRequest } from '../pending-request.ts'
import { FrameState } from '../send-queue.ts'
import { notServing, reachMark } from './read-position.ts'
import { type InboxPosition, resumePosition } from './resume-position.ts'

/** Frames served beyond the ones every node has. */
const FEATURES: readonly string[] = [
  ...['conv', 'cancel', 'linearizable', 'sync', 'ack'],
  ...['edit', 'block', 'retention', 'receipts', 'signal'],
]

/**
 * Lets a client in or sends it away: version, rate, identity, readiness and the mark it resumes
 * from, in this order, cheapest first. Nothing of it holds up another client.
 */
export function greet(request: PendingRequest, frame: HelloRequest, context: GatewayContext): void {
  const version = negotiateVersion(frame.v)
  if (version === null) {
    const [lowest, highest] = SUPPORTED_VERSIONS
    const message = `This node speaks versions ${lowest} to ${highest}, not ${frame.v[0]} to ${frame.v[1]}.`
    turnAway(request, wireError('UNSUPPORTED', message), CloseCode.version, 'version')
    return
  }
  const refusal = admissionRefusal(request.session.connection.head.remote, context)
  if (refusal !== null) {
    turnAwayForNow(request, refusal)
    return
  }
  enter(request, frame, version, context).catch((error: unknown) => {
    context.logger.error('hello.failed', { error })
    if (request.session.state !== 'greeting') return
    const failure = wireError('INTERNAL', 'The node failed to greet. See its log.')
    if (request.isSettled) request.session.end(CloseCode.overload, failure.message, 'overload')
    else turnAwayForNow(request, failure)
  })
}

function admissionRefusal(remote: string, context: GatewayContext): WireError | null {
  const { backend, clock, hellos, metrics, random, registry } = context
  if (context.draining()) return drainingError(backend)
  const unready = notServing(context)
  if (unready !== null) return unready
  const nowMs = clock.monotonicMs()
  if (mayTry(remote, nowMs, context) && hellos.take(nowMs)) return null
  metrics.rateLimited.add()
  const retryAfterMs = Math.round(500 + uniform(random, spreadMs(registry.size)))
  return wireError('OVERLOADED', 'Too many clients arrive at once; come back later.', {
    retryAfterMs,
  })
}

/** One address does not use up what there is for all; behind the loopback stands a proxy. */
function mayTry(
  remote: string,
  nowMs: number,
  { hellosByAddress, options }: GatewayContext,
): boolean {
  const key = clientKey(remote)
  if (key === null) return true
  const perSecond = options.hellosPerSecondPerAddress
  return hellosByAddress.of(key, { perSecond, burst: perSecond }, nowMs).take(nowMs)
}

/** Asks who it is and waits for the mark, then lets the client in where it can be gone on from. */
async function enter(
  request: PendingRequest,
  frame: HelloRequest,
  version: number,
  context: GatewayContext,
): Promise<void> {
  const { session } = request
  for (;;) {
    const seen = context.revocations()
    const { remote } = session.connection.head
    const identity = await context.authenticator.authenticate(frame, remote)
    if (session.state !== 'greeting') return
    if (isRefusal(identity)) {
      context.metrics.authFailures.add()
      if (identity.retryable) turnAwayForNow(request, identity)
      else turnAway(request, identity, CloseCode.policy, 'auth')
      return
    }
    // An epoch that is not this one's is answered at once: hello:A tells the client (rule K8).
    const { resume } = frame
    const mark = resume?.epoch === context.backend.epoch ? resume.mark : undefined
    const late = await reachMark(mark, context)
    if (session.state !== 'greeting') return
    if (late !== null && !late.retryable) {
      turnAway(request, late, CloseCode.policy, 'protocol')
      return
    }
    const position = late ?? (await resumePosition(frame, identity.user, context))
    if (session.state !== 'greeting') return
    if ('code' in position) {
      turnAwayForNow(request, position)
      return
    }
    // Much may have happened while it waited: its token may be among those that were revoked.
    if (identity.issuedAt !== null && seen !== context.revocations()) continue
    const refusal = entryRefusal(frame, identity, context)
    if (refusal === null) admit(request, frame, identity, position, version, context)
    else turnAwayForNow(request, refusal)
    return
  }
}

function entryRefusal(
  { device }: HelloRequest,
  { user }: Identity,
  context: GatewayContext,
): WireError | null {
  const { backend, options, registry, metrics } = context
  if (context.draining()) return drainingError(backend)
  const sessions = registry.of(user) ?? []
  const isFull = sessions.length >= options.maxSessionsPerUser
  if (!isFull || sessions.some((session) => session.device === device)) return notServing(context)
  metrics.rateLimited.add()
  const message = `${options.maxSessionsPerUser} devices of this user are connected here.`
  return wireError('RATE_LIMITED', message, { retryAfterMs: 10_000 })
}

/** From here on the session is told every event of the user's conversations. */
function admit(
  request: PendingRequest,
  frame: HelloRequest,
  identity: Identity,
  position: InboxPosition,
  version: number,
  context: GatewayContext,
): void {
  const { backend, metrics, options, registry } = context
  const { session } = request
  session.identity = identity
  session.user = identity.user
  session.device = frame.device
  session.mode = frame.mode ?? 'push'
  session.resumedMark = frame.resume?.mark
  // The older one's frames must not mix with this one's: it ends before this one is greeted.
  const replaced = registry.add(session)
  context.expiries.add(session)
  if (replaced !== null) {
    const message = 'A newer connection of the same device took over.'
    replaced.endWith(wireError('REPLACED', message), CloseCode.replaced, 'replaced')
  }
  metrics.opened.add()
  context.failpoints.hit('gateway.helloAccepted')
  const { remote } = session.connection.head
  context.logger.debug('session.opened', { user: session.user, device: session.device, remote })
  request.answer(
    {
      t: 'hello:A',
      id: frame.id,
      v: version,
      features: FEATURES,
      user: session.user,
      device: session.device,
      node: backend.self.id,
      leader: backend.leader(),
      nodes: backend.nodes(),
      epoch: backend.epoch,
      now: backend.state.logTime,
      inbox: position.head,
      mark: formatMark(backend.epoch, backend.state.appliedIndex),
      heartbeatMs: options.heartbeatMs,
      spreadMs: spreadMs(registry.size),
      limits: {
        bodyBytes: options.maxBodyBytes,
        messageBytes: options.maxMessageBytes,
        framesPerMessage: LIMITS.framesPerMessage,
        inflight: options.maxInFlight,
        pageEvents: options.maxPageEvents,
        members: LIMITS.members,
      },
    },
    FrameState.marked,
  )
  session.push.begin(position.from, position.head, position.index === backend.state.appliedIndex)
  session.opened()
}

/** Refused for now, by this node: the client comes back or goes to another one. */
function turnAwayForNow(request: PendingRequest, error: WireError): void {
  const code = error.code === 'DRAINING' ? CloseCode.drain : CloseCode.overload
  turnAway(request, error, code, error.code === 'DRAINING' ? 'drain' : 'overload')
}

function turnAway(
  request: PendingRequest,
  error: WireError,
  code: number,
  reason: CloseReason,
): void {
  request.fail(error)
  request.session.end(code, error.message, reason)
}
