// What a member answers when it refuses a request, as an error of ours.

import { Code, ConnectError } from '@connectrpc/connect';
import type { ErrorCode } from '../../base/error-codes.ts';
import { EtcdkeepError, messageOf } from '../../base/errors.ts';

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

const BY_CODE: Readonly<Partial<Record<Code, ErrorCode>>> = {
  [Code.Unavailable]: 'member-unavailable',
  [Code.DeadlineExceeded]: 'request-timed-out',
  [Code.PermissionDenied]: 'permission-denied',
  [Code.Unauthenticated]: 'authentication-failed',
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
  const facts = [['member says', `${text} (gRPC status ${status})`]] as const;
  const known = BY_TEXT.find(([pattern]) => pattern.test(text));
  if (known !== undefined) {
    const [, code, message] = known;
    return new EtcdkeepError(code, `cannot ${what}: ${message}`, { endpoint, facts });
  }
  const code = BY_CODE[status as Code] ?? 'request-failed';
  return new EtcdkeepError(code, `cannot ${what}: ${text}`, { endpoint, facts });
}

/** The error of a unary call that the gRPC library rejected. */
export function unaryError(reason: unknown, what: string, endpoint: string): EtcdkeepError {
  for (let cause: unknown = reason; cause instanceof Error; cause = cause.cause) {
    if (cause instanceof EtcdkeepError) return cause;
  }
  if (!(reason instanceof ConnectError)) {
    return new EtcdkeepError('response-invalid', `cannot ${what}: ${messageOf(reason)}`, {
      endpoint,
      cause: reason,
    });
  }
  if (reason.code === Code.DeadlineExceeded) {
    return new EtcdkeepError('request-timed-out', `cannot ${what}: no answer in time`, {
      endpoint,
      cause: reason,
    });
  }
  return statusError(reason.code, reason.rawMessage, what, endpoint);
}
