import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { ERROR_CODES, type ErrorCode } from '../../base/error-codes.ts';
import { EtcdkeepError } from '../../base/errors.ts';
import {
  decodeMessage,
  encodeMessage,
  type NodeMessage,
  receivedError,
  sentError,
} from './messages.ts';

/** What JSON can carry, and 64-bit numbers. */
const value = fc.letrec((tie) => ({
  any: fc.oneof(
    { depthSize: 'small' },
    fc.bigInt({ min: -(2n ** 63n), max: 2n ** 64n - 1n }),
    fc.string({ unit: 'binary' }),
    fc.integer(),
    fc.boolean(),
    fc.constant(null),
    fc.array(tie('any')),
    fc.dictionary(fc.string(), tie('any'), { noNullPrototype: true }),
  ),
})).any;

/** As it is on the other side. */
const passed = (message: NodeMessage): NodeMessage | undefined =>
  decodeMessage(encodeMessage(message));

describe('a message', () => {
  it('arrives as it was, in one line', () =>
    fc.assert(
      fc.property(fc.constantFrom('done', 'checked', 'event'), value, (kind, content) => {
        const carried = {
          done: { backup: { content } },
          checked: { host: { content } },
          event: { event: { kind: 'snapshot-progress', content } },
        }[kind];
        const message = { kind, ...carried } as unknown as NodeMessage;
        expect(encodeMessage(message)).not.toMatch(/[\n\r]/);
        expect(passed(message)).toEqual(message);
      }),
    ));

  it.each([
    '',
    'etcdkeep: command not found',
    '{"kind":"event"',
    '{"kind":"event"}',
    '{"kind":"event","event":{}}',
    '{"kind":"other","event":{"kind":"x"}}',
    '{"kind":"done"}',
    '{"kind":"checked"}',
    '{"kind":"failed","error":{"code":"internal"}}',
    'null',
    '1',
    '[]',
    '{"$integer":"1"}',
  ])('is none: %s', (line) => expect(decodeMessage(line)).toBeUndefined());

  it('is none, or is one again: any line', () =>
    fc.assert(
      fc.property(fc.oneof(fc.string(), fc.json()), (line) => {
        const message = decodeMessage(line);
        if (message !== undefined) expect(passed(message)).toEqual(message);
      }),
    ));

  it('keeps what only looks like a 64-bit number', () => {
    const line = '{"kind":"event","event":{"kind":"x","a":{"$integer":"1x"},"b":{"$integer":1}}}';
    const event = { kind: 'x', a: { $integer: '1x' }, b: { $integer: 1 } };
    expect(decodeMessage(line)).toEqual({ kind: 'event', event });
  });
});

describe('an error', () => {
  /** The error as it is here, of one on the node. */
  function here(reason: unknown): EtcdkeepError {
    const message = passed({ kind: 'failed', error: sentError(reason) });
    if (message?.kind !== 'failed') throw new Error('it did not arrive');
    return receivedError(message.error, 'master-0');
  }

  it('keeps everything, and is shown with the node', () => {
    const codes = Object.keys(ERROR_CODES) as ErrorCode[];
    const position = fc.record(
      {
        path: fc.string(),
        endpoint: fc.string(),
        offset: fc.nat(),
        revision: fc.bigInt(0n, 2n ** 63n),
      },
      { requiredKeys: [], noNullPrototype: true },
    );
    const facts = fc.array(fc.tuple(fc.string(), fc.string()));
    fc.assert(
      fc.property(
        fc.constantFrom(...codes),
        fc.string(),
        fc.string(),
        facts,
        position,
        (code, words, advice, known, where) => {
          const there = new EtcdkeepError(code, words, { ...where, advice, facts: known });
          const { message, ...rest } = here(there);
          expect(message).toBe(words);
          expect(rest).toMatchObject({
            code,
            advice,
            facts: [['node', 'master-0'], ...known],
            position: where,
            exitCode: there.exitCode,
          });
        },
      ),
    );
  });

  it('of a code that is not known here is that of a command', () => {
    const error = { ...sentError(new Error('')), code: 'of-tomorrow', message: 'no way' };
    expect(receivedError(error, 'master-0')).toMatchObject({
      code: 'node-command-failed',
      message: 'etcdkeep failed on the node: no way',
      facts: [['node', 'master-0']],
    });
    expect(receivedError({ ...error, code: 'toString' }, 'master-0').code).toBe(
      'node-command-failed',
    );
  });

  it('that is no error of ours keeps its words', () =>
    expect(here(new TypeError('x is not a function'))).toMatchObject({
      code: 'internal',
      message: 'x is not a function',
    }));
});
