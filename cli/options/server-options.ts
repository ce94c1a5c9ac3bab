import type { ServerOptions } from '#node'
import type { NodeOptionValues } from './node-options.ts'

/** What the options mean to a node. */
export function serverOptions(values: NodeOptionValues): ServerOptions {
  const { name, listen, adminListen, peerListen, data, initialMembers, unsafeFailpoints } = values
  return {
    name,
    listen,
    ...(adminListen === undefined ? {} : { adminListen }),
    peerListen,
    dataDirectory: data,
    initialMembers,
    dev: values.dev,
    join: values.join,
    foundAlone: values.foundAlone || values.dev,
    logLevel: values.logLevel,
    origins: {
      allowedOrigins: values.allowedOrigins ?? [],
      allowedHosts: values.allowedHosts ?? [],
    },
    clients: clientOptions(values),
    keepAliveMs: values.keepAlive,
    trustedProxies: values.trustedProxies ?? [],
    tokens: tokenOptions(values),
    security: securityOptions(values),
    ...(values.auditFile === undefined ? {} : { auditFile: values.auditFile }),
    ...filterOptions(values),
    push: pushOptions(values),
    logSegmentBytes: values.logSegmentBytes,
    checkpointBytes: values.checkpointBytes,
    disk: diskOptions(values),
    scrub: { everyMs: values.scrubEvery, bytesPerSecond: values.scrubBytesPerSecond },
    ...(unsafeFailpoints === undefined ? {} : { unsafeFailpoints }),
  }
}

function diskOptions(values: NodeOptionValues): NonNullable<ServerOptions['disk']> {
  const { diskLowBytes: lowBytes, diskHardBytes: hardBytes } = values
  const { diskReserveBytes: reserveBytes } = values
  return {
    ...(lowBytes === undefined ? {} : { lowBytes }),
    ...(hardBytes === undefined ? {} : { hardBytes }),
    ...(reserveBytes === undefined ? {} : { reserveBytes }),
  }
}

/** A cluster for trying things out is not slowed down by what nobody asked for. */
function clientOptions(values: NodeOptionValues): NonNullable<ServerOptions['clients']> {
  const unlessDev = (value: number | undefined, preset: number) =>
    value ?? (values.dev ? null : preset)
  return {
    maxConnections: values.maxConnections,
    maxConnectionsPerAddress: values.maxConnectionsPerAddress,
    hellosPerSecondPerAddress: values.connectionRate,
    requestsPerSecondPerAddress: unlessDev(values.requestRate, 1_000),
    framesPerSecond: unlessDev(values.frameRate, 10_000),
    bytesPerSecond: unlessDev(values.byteRate, 16 * 1024 * 1024),
    helloTimeoutMs: values.helloTimeout,
  }
}

function tokenOptions(values: NodeOptionValues): NonNullable<ServerOptions['tokens']> {
  const { jwksUrl, tokenIssuer: issuer, tokenAudience: audience } = values
  return {
    secretFiles: values.tokenSecretFile ?? [],
    publicKeyFiles: values.tokenPublicKeyFile ?? [],
    ...(jwksUrl === undefined ? {} : { jwksUrl }),
    ...(issuer === undefined ? {} : { issuer }),
    ...(audience === undefined ? {} : { audience }),
    leewayMs: values.tokenLeeway,
  }
}

function securityOptions(values: NodeOptionValues): NonNullable<ServerOptions['security']> {
  const { tlsCertFile, tlsKeyFile, peerCertFile, peerKeyFile, peerCaFile } = values
  const { peerNames: names = [], peerCrlFile: crlFile } = values
  const minVersion = values.tlsMinVersion === '1.3' ? 'TLSv1.3' : 'TLSv1.2'
  return {
    ...(tlsCertFile === undefined || tlsKeyFile === undefined
      ? {}
      : { clients: { certFile: tlsCertFile, keyFile: tlsKeyFile, minVersion } }),
    ...(peerCertFile === undefined || peerKeyFile === undefined || peerCaFile === undefined
      ? {}
      : {
          peers: {
            certFile: peerCertFile,
            keyFile: peerKeyFile,
            caFile: peerCaFile,
            crlFile,
            names,
          },
        }),
    secretFiles: values.clusterSecretFile ?? [],
    checkMs: values.securityCheckEvery,
  }
}

function filterOptions(values: NodeOptionValues): Pick<ServerOptions, 'rates' | 'moderation'> {
  const { userRate: user, deviceRate: device, moderationUrl: url } = values
  const timeoutMs = values.moderationTimeout
  return {
    rates: { ...(user === undefined ? {} : { user }), ...(device === undefined ? {} : { device }) },
    ...(url === undefined
      ? {}
      : { moderation: { url, timeoutMs, onFailure: values.moderationFailure } }),
  }
}

function pushOptions(values: NodeOptionValues): NonNullable<ServerOptions['push']> {
  const { pushWebhookUrl: url, pushWebhookSecretFile: secretFile } = values
  const { pushVapidKeyFile: keyFile, pushVapidSubject: subject, pushHosts: hosts = [] } = values
  return {
    ...(url === undefined || secretFile === undefined ? {} : { webhook: { url, secretFile } }),
    ...(keyFile === undefined || subject === undefined ? {} : { web: { keyFile, subject, hosts } }),
    withPosition: values.pushPosition,
  }
}
