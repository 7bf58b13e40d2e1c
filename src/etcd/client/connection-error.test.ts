import { describe, expect, it } from 'vitest';
import { EtcdkeepError } from '../../base/errors.ts';
import { connectionError, type DialStage, silenceError } from './connection-error.ts';

const URL = 'https://10.0.1.2:2379';

const failure = (code: string): Error => Object.assign(new Error(`node says ${code}`), { code });

describe('connectionError', () => {
  it.each<[string, DialStage, string]>([
    ['ECONNREFUSED', 'connect', 'connection-refused'],
    ['ENOENT', 'connect', 'connection-refused'],
    ['ENOTFOUND', 'connect', 'endpoint-not-found'],
    ['EAI_AGAIN', 'connect', 'endpoint-not-found'],
    ['EHOSTUNREACH', 'connect', 'endpoint-unreachable'],
    ['ENETUNREACH', 'connect', 'endpoint-unreachable'],
    ['EAFNOSUPPORT', 'connect', 'endpoint-unreachable'],
    ['ENETDOWN', 'connect', 'endpoint-unreachable'],
    ['EACCES', 'connect', 'endpoint-unreachable'],
    ['EPERM', 'connect', 'endpoint-unreachable'],
    ['EINVAL', 'connect', 'endpoint-unreachable'],
    ['EADDRNOTAVAIL', 'connect', 'endpoint-unreachable'],
    ['ETIMEDOUT', 'connect', 'connection-timed-out'],
    ['ECONNRESET', 'connect', 'connection-lost'],
    ['UNABLE_TO_VERIFY_LEAF_SIGNATURE', 'handshake', 'tls-authority-unknown'],
    ['UNABLE_TO_GET_ISSUER_CERT', 'handshake', 'tls-authority-unknown'],
    ['UNABLE_TO_GET_ISSUER_CERT_LOCALLY', 'handshake', 'tls-authority-unknown'],
    ['SELF_SIGNED_CERT_IN_CHAIN', 'handshake', 'tls-authority-unknown'],
    ['DEPTH_ZERO_SELF_SIGNED_CERT', 'handshake', 'tls-authority-unknown'],
    ['CERT_SIGNATURE_FAILURE', 'handshake', 'tls-authority-unknown'],
    ['CERT_HAS_EXPIRED', 'handshake', 'tls-server-certificate-expired'],
    ['CERT_NOT_YET_VALID', 'handshake', 'tls-server-certificate-expired'],
    ['ERR_TLS_CERT_ALTNAME_INVALID', 'handshake', 'tls-name-mismatch'],
    ['ERR_SSL_WRONG_VERSION_NUMBER', 'handshake', 'tls-failed'],
    ['ECONNRESET', 'handshake', 'tls-failed'],
    ['ERR_HTTP2_ERROR', 'settings', 'response-invalid'],
    ['ECONNRESET', 'settings', 'connection-lost'],
    ['ECONNRESET', 'open', 'connection-lost'],
    ['ERR_HTTP2_ERROR', 'open', 'connection-lost'],
    // The kernel gives up on an open connection under names that it also has for attempts to connect.
    ['ETIMEDOUT', 'open', 'connection-lost'],
    ['EHOSTUNREACH', 'open', 'connection-lost'],
  ])('%s at stage %s is %s', (systemCode, stage, code) => {
    const reason = failure(systemCode);
    const error = connectionError(reason, stage, URL);
    expect(error.code).toBe(code);
    expect(error.message).toContain(URL);
    expect(error.position).toEqual({ endpoint: URL });
    expect(error.cause).toBe(reason);
  });

  // Alerts of RFC 8446 section 6.2, under the names that OpenSSL gives them.
  it.each([
    ['ERR_SSL_TLSV13_ALERT_CERTIFICATE_REQUIRED', 'it wants one'],
    ['ERR_SSL_SSL/TLS_ALERT_BAD_CERTIFICATE', 'bad certificate'],
    ['ERR_SSL_SSLV3_ALERT_BAD_CERTIFICATE', 'bad certificate'],
    ['ERR_SSL_TLSV1_ALERT_UNKNOWN_CA', 'unknown ca'],
    ['ERR_SSL_SSL/TLS_ALERT_CERTIFICATE_EXPIRED', 'certificate expired'],
    ['ERR_SSL_SSL/TLS_ALERT_UNSUPPORTED_CERTIFICATE', 'unsupported certificate'],
    ['ERR_SSL_SSL/TLS_ALERT_HANDSHAKE_FAILURE', 'handshake failure'],
  ])('the alert %s refuses the client certificate', (systemCode, why) => {
    // In TLS 1.3 it comes after the handshake, in TLS 1.2 during it.
    for (const stage of ['handshake', 'settings'] as const) {
      const error = connectionError(failure(systemCode), stage, URL);
      expect(error.code).toBe('tls-client-certificate-refused');
      expect(error.message).toBe(`etcd at ${URL} refused the client certificate: ${why}`);
    }
  });

  it('an alert about something else is a failed handshake', () =>
    expect(
      connectionError(failure('ERR_SSL_TLSV1_ALERT_PROTOCOL_VERSION'), 'handshake', URL).code,
    ).toBe('tls-failed'));

  it('an error of ours is passed through', () => {
    const ours = new EtcdkeepError('connection-timed-out', 'nothing was said');
    expect(connectionError(ours, 'open', URL)).toBe(ours);
  });
});

describe('silenceError', () => {
  it.each<[DialStage, string, RegExp]>([
    ['connect', 'connection-timed-out', /no answer to the attempt to connect for 2\.5 s$/],
    ['handshake', 'connection-timed-out', /nothing was said \(TLS handshake\) for 2\.5 s$/],
    ['settings', 'connection-timed-out', /nothing was said for 2\.5 s$/],
    ['open', 'connection-lost', /no answer to a keepalive ping for 2\.5 s$/],
  ])('at stage %s is %s', (stage, code, message) => {
    const error = silenceError(stage, 2500, URL);
    expect(error.code).toBe(code);
    expect(error.message).toMatch(message);
    expect(error.retryable).toBe(true);
  });
});
