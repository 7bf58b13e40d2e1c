// What a member answers when it refuses a request, as an error of ours.

import type { ErrorCode } from '../../base/error-codes.ts';
import { EtcdkeepError } from '../../base/errors.ts';

// 3.4 and 3.5 send Maintenance errors raw, with code Unknown and the prefix "auth:"; 3.6 and later
// map them to proper codes with the prefix "etcdserver:" (server/etcdserver/api/v3rpc/util.go,
// togRPCError). The text is the same in both, so the text decides first.
const BY_TEXT: readonly (readonly [text: RegExp, code: ErrorCode, message: string])[] = [
  [
    /authentication failed, invalid user ID or password/,
    'authentication-failed',
    'the member knows no user of that name with that password',
  ],
  [/user name is empty/, 'authentication-required', 'the member wants a user and was given none'],
  [/invalid auth token/, 'authentication-failed', 'the member does not accept the auth token'],
  [/permission denied/, 'permission-denied', 'the user does not have the root role'],
  [/not supported for learner/, 'member-is-learner', 'the member is a learner'],
];

// gRPC status codes (grpc.io, "Status codes and their use in gRPC").
const BY_STATUS: Readonly<Partial<Record<number, ErrorCode>>> = {
  4: 'request-timed-out', // DEADLINE_EXCEEDED
  7: 'permission-denied', // PERMISSION_DENIED
  14: 'member-unavailable', // UNAVAILABLE
  16: 'authentication-failed', // UNAUTHENTICATED
};

/**
 * The error of a gRPC status other than 0.
 * @param what the request in words, as in "cannot <what>"
 */
export function statusError(
  status: number,
  text: string,
  what: string,
  endpoint: string,
): EtcdkeepError {
  const facts = [['member says', `${text || 'nothing'} (gRPC status ${status})`]] as const;
  const known = BY_TEXT.find(([pattern]) => pattern.test(text));
  if (known !== undefined) {
    const [, code, message] = known;
    return new EtcdkeepError(code, `cannot ${what}: ${message}`, { endpoint, facts });
  }
  const code = BY_STATUS[status] ?? 'request-failed';
  return new EtcdkeepError(code, `cannot ${what}: ${text || `gRPC status ${status}`}`, {
    endpoint,
    facts,
  });
}
