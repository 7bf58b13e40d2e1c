// Why a member could not be reached, as an error of ours.

import type { ErrorCode } from '../../base/error-codes.ts';
import { EtcdkeepError, messageOf, systemCodeOf } from '../../base/errors.ts';

/** How far a connection had come. */
export type DialStage = 'connect' | 'handshake' | 'settings' | 'open';

// Names of Node's net and tls errors; alerts are those of RFC 8446 section 6, as OpenSSL names them.
const BY_SYSTEM_CODE: Readonly<Record<string, readonly [code: ErrorCode, message: string]>> = {
  ECONNREFUSED: ['connection-refused', 'connection refused'],
  ENOENT: ['connection-refused', 'there is no such socket'],
  ENOTFOUND: ['endpoint-not-found', 'the host name does not resolve'],
  EAI_AGAIN: ['endpoint-not-found', 'the name server does not answer'],
  EHOSTUNREACH: ['endpoint-unreachable', 'no route to the host'],
  ENETUNREACH: ['endpoint-unreachable', 'the network is unreachable'],
  EAFNOSUPPORT: ['endpoint-unreachable', 'this machine has no such addresses'],
  ENETDOWN: ['endpoint-unreachable', 'the network is down'],
  EACCES: ['endpoint-unreachable', 'permission denied'],
  EPERM: ['endpoint-unreachable', 'the operation is not permitted'],
  EINVAL: ['endpoint-unreachable', 'the address cannot be dialled'],
  EADDRNOTAVAIL: ['endpoint-unreachable', 'the address cannot be dialled from here'],
  ETIMEDOUT: ['connection-timed-out', 'no answer to the attempt to connect'],
  UNABLE_TO_VERIFY_LEAF_SIGNATURE: ['tls-authority-unknown', 'no named CA issued its certificate'],
  UNABLE_TO_GET_ISSUER_CERT: ['tls-authority-unknown', 'no named CA issued its certificate'],
  UNABLE_TO_GET_ISSUER_CERT_LOCALLY: [
    'tls-authority-unknown',
    'no named CA issued its certificate',
  ],
  SELF_SIGNED_CERT_IN_CHAIN: ['tls-authority-unknown', 'its chain ends in a CA that is not named'],
  DEPTH_ZERO_SELF_SIGNED_CERT: ['tls-authority-unknown', 'its certificate is self-signed'],
  CERT_SIGNATURE_FAILURE: ['tls-authority-unknown', 'the named CA did not sign its certificate'],
  CERT_HAS_EXPIRED: ['tls-server-certificate-expired', 'its certificate has expired'],
  CERT_NOT_YET_VALID: ['tls-server-certificate-expired', 'its certificate is not valid yet'],
  ERR_TLS_CERT_ALTNAME_INVALID: ['tls-name-mismatch', 'its certificate is for another name'],
};

// After the handshake of TLS 1.3 the server judges the client's certificate: the refusal arrives
// as an alert on a connection that already looked open.
const CLIENT_CERTIFICATE_ALERT =
  /ALERT_(CERTIFICATE|BAD_CERTIFICATE|UNSUPPORTED_CERTIFICATE|UNKNOWN_CA|HANDSHAKE_FAILURE)/;

/** The error of a connection that failed before or after it was open. */
export function connectionError(reason: unknown, stage: DialStage, url: string): EtcdkeepError {
  if (reason instanceof EtcdkeepError) return reason;
  const systemCode = systemCodeOf(reason) ?? '';
  const known = BY_SYSTEM_CODE[systemCode];
  const details = { endpoint: url, cause: reason };
  // What cuts an open connection has the same names, and did reach the member.
  if (known !== undefined && stage !== 'open') {
    return new EtcdkeepError(known[0], `cannot reach etcd at ${url}: ${known[1]}`, details);
  }
  if (CLIENT_CERTIFICATE_ALERT.test(systemCode)) {
    const why = /REQUIRED/.test(systemCode) ? 'it wants one' : alertName(systemCode);
    return new EtcdkeepError(
      'tls-client-certificate-refused',
      `etcd at ${url} refused the client certificate: ${why}`,
      details,
    );
  }
  // What libnghttp2 cannot parse, before it has seen the settings that every HTTP/2 server starts with.
  if (systemCode === 'ERR_HTTP2_ERROR' && stage === 'settings') {
    return new EtcdkeepError(
      'response-invalid',
      `what listens at ${url} does not speak HTTP/2, as etcd does`,
      details,
    );
  }
  if (stage === 'handshake') {
    return new EtcdkeepError(
      'tls-failed',
      `the TLS handshake with ${url} failed: ${messageOf(reason)}`,
      details,
    );
  }
  return new EtcdkeepError(
    'connection-lost',
    `the connection to ${url} broke: ${messageOf(reason)}`,
    details,
  );
}

/** `ERR_SSL_SSL/TLS_ALERT_CERTIFICATE_EXPIRED` reads `certificate expired`. */
function alertName(systemCode: string): string {
  return systemCode
    .replace(/^.*ALERT_/, '')
    .replaceAll('_', ' ')
    .toLowerCase();
}

const SILENCE: Readonly<Record<DialStage, string>> = {
  connect: 'no answer to the attempt to connect',
  handshake: 'the connection was accepted, then nothing was said (TLS handshake)',
  settings: 'the connection was accepted, then nothing was said',
  open: 'no answer to a keepalive ping',
};

/** The error of a member that kept silent for too long. */
export function silenceError(stage: DialStage, waitedMs: number, url: string): EtcdkeepError {
  return new EtcdkeepError(
    stage === 'open' ? 'connection-lost' : 'connection-timed-out',
    `cannot reach etcd at ${url}: ${SILENCE[stage]} for ${waitedMs / 1000} s`,
    { endpoint: url },
  );
}
