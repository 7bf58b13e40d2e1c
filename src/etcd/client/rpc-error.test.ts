import { describe, expect, it } from 'vitest';
import { statusError } from './rpc-error.ts';

const URL = 'https://10.0.1.2:2379';

// The first form is that of 3.4 and 3.5, which send the error of a Maintenance method raw; the second
// that of 3.6 and 3.7. Seen on 3.4.23, 3.5.35, 3.6.16 and 3.7.3.
const REFUSALS = [
  [2, 'auth: user name is empty', 'authentication-required'],
  [3, 'etcdserver: user name is empty', 'authentication-required'],
  [2, 'auth: invalid auth token', 'authentication-failed'],
  [16, 'etcdserver: invalid auth token', 'authentication-failed'],
  [2, 'auth: permission denied', 'permission-denied'],
  [7, 'etcdserver: permission denied', 'permission-denied'],
  [3, 'etcdserver: authentication failed, invalid user ID or password', 'authentication-failed'],
  // 3.4 for a snapshot, all versions for HashKV.
  [14, 'etcdserver: rpc not supported for learner', 'member-is-learner'],
  [9, 'etcdserver: rpc not supported for learner', 'member-is-learner'],
  [14, 'etcdserver: no leader', 'member-unavailable'],
  [14, 'etcdserver: request timed out', 'member-unavailable'],
  [14, 'transport is closing', 'member-unavailable'],
  [4, 'context deadline exceeded', 'request-timed-out'],
  [7, 'a text of a later version', 'permission-denied'],
  [16, 'a text of a later version', 'authentication-failed'],
  [12, 'unknown service etcdserverpb.Maintenance', 'request-failed'],
  [8, 'grpc: received message larger than max', 'request-failed'],
  [13, 'a text of a later version', 'request-failed'],
] as const;

describe.each(REFUSALS)('status %i "%s"', (status, text, code) => {
  it(`of a stream is ${code}`, () => {
    const error = statusError(status, text, 'take a snapshot', URL);
    expect(error.code).toBe(code);
    expect(error.message).toMatch(/^cannot take a snapshot: ./);
    expect(error.position).toEqual({ endpoint: URL });
    expect(error.facts).toEqual([['member says', `${text} (gRPC status ${status})`]]);
  });
});

describe('statusError', () => {
  it('shows a text it does not know, and the status where there is none', () => {
    expect(statusError(13, 'boom', 'take a snapshot', URL).message).toBe(
      'cannot take a snapshot: boom',
    );
    expect(statusError(13, '', 'take a snapshot', URL).message).toBe(
      'cannot take a snapshot: gRPC status 13',
    );
  });

  it.each([
    [14, true],
    [13, false],
  ])('status %i can be tried again: %s', (status, retryable) =>
    expect(statusError(status, 'boom', 'take a snapshot', URL).retryable).toBe(retryable),
  );
});
