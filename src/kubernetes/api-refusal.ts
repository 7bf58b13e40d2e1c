// What an API server says when it does not do what it was asked for.

import { EtcdkeepError } from '../base/errors.ts';

/** An error with what the server said in a form that can be told apart. */
export class ApiRefusal extends EtcdkeepError {
  /** Of HTTP. */
  readonly status: number;
  /** `NotFound`, `AlreadyExists`, `Conflict`; empty if it was no API server that answered. */
  readonly reason: string;

  private constructor(
    code: 'api-unauthorized' | 'api-forbidden' | 'api-refused',
    status: number,
    words: { readonly reason: string; readonly message: string },
    endpoint: string,
  ) {
    super(code, `the API server answered ${status}: ${words.message}`, { endpoint });
    this.status = status;
    this.reason = words.reason;
  }

  /**
   * @param body of the answer, parsed; undefined if it is no JSON
   * @param why more than the server says
   */
  static of(status: number, body: unknown, endpoint: string, why?: string): ApiRefusal {
    // meta/v1 Status, which is also how errors of a proxy in between do not look.
    const { message, reason } = (body ?? {}) as { message?: unknown; reason?: unknown };
    const said = typeof message === 'string' ? message : 'no answer of an API server';
    const words = {
      message: why === undefined ? said : `${said}; ${why}`,
      reason: typeof reason === 'string' ? reason : '',
    };
    if (status === 401) return new ApiRefusal('api-unauthorized', status, words, endpoint);
    if (status === 403) return new ApiRefusal('api-forbidden', status, words, endpoint);
    return new ApiRefusal('api-refused', status, words, endpoint);
  }
}

/** Whether it is the answer that there is no such object. */
export function isNotFound(reason: unknown): boolean {
  return reason instanceof ApiRefusal && reason.status === 404 && reason.reason === 'NotFound';
}

/** Whether there is no such object, and perhaps no such kind: of that a server says so in plain words. */
export function isAbsent(reason: unknown): boolean {
  return reason instanceof ApiRefusal && reason.status === 404;
}

/** Whether somebody else was quicker: the object is there already, or was changed meanwhile. */
export function isConflict(reason: unknown): boolean {
  return reason instanceof ApiRefusal && reason.status === 409;
}
