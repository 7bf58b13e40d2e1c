import { describe, expect, it } from 'vitest';
import { EtcdkeepError } from '../base/errors.ts';
import { errorDocument, renderError } from './error-screen.ts';

const everything = (): EtcdkeepError => {
  const error = new EtcdkeepError('stream-cut', 'the stream ended', {
    path: '/b/snapshot.db',
    endpoint: 'https://h:2379',
    offset: 4096,
    page: 7,
    revision: 2n ** 62n,
    facts: [['member says', 'nothing']],
    advice: 'look at it',
    cause: new EtcdkeepError('connection-lost', 'the connection broke'),
  });
  error.aftermath = 'Nothing was written.';
  return error;
};

describe('on the screen', () => {
  it('an error with all that can be known', () =>
    expect(renderError(everything())).toBe(
      [
        'Error: the stream ended (stream-cut)',
        '  file        /b/snapshot.db',
        '  endpoint    https://h:2379',
        '  page        7',
        '  offset      byte 4096',
        '  revision    4611686018427387904',
        '  member says nothing',
        '  cause       the connection broke',
        '  do          look at it',
        '  more        docs/errors.md#stream-cut',
        'Nothing was written.',
      ].join('\n'),
    ));

  it('an error that says no more than its code', () =>
    expect(renderError(new EtcdkeepError('usage', 'that is no flag'))).toBe(
      [
        'Error: that is no flag (usage)',
        '  do          see --help',
        '  more        docs/errors.md#usage',
      ].join('\n'),
    ));

  it('what is at offset 0 or page 0 has a place too', () => {
    const error = new EtcdkeepError('file-failed', 'no', { offset: 0, page: 0, revision: 0n });
    expect(renderError(error)).toContain(
      '  page        0\n  offset      byte 0\n  revision    0\n',
    );
  });

  it("a system's error is in the message already", () => {
    const cause = new Error('ENOENT: no such file');
    const error = new EtcdkeepError('file-failed', 'cannot read it', { cause });
    expect(renderError(error)).not.toContain('ENOENT');
  });

  it.each([
    ['an error', new TypeError('x is not a function'), 'TypeError: x is not a function'],
    ['anything else', 'a string', 'a string'],
  ])('%s that is not ours is a defect, with what helps to find it', (_, reason, text) => {
    const screen = renderError(reason);
    expect(screen).toMatch(/^Error: a defect of etcdkeep \(internal\)\n/);
    expect(screen).toContain(text);
    expect(screen).toMatch(/\nPlease report it, with the command line\.$/);
  });
});

describe('as a document', () => {
  it('an error with all that can be known', () =>
    expect(errorDocument(everything())).toEqual({
      error: {
        code: 'stream-cut',
        message: 'the stream ended',
        advice: 'look at it',
        retryable: true,
        path: '/b/snapshot.db',
        endpoint: 'https://h:2379',
        offset: 4096,
        page: 7,
        revision: '4611686018427387904',
        facts: { 'member says': 'nothing' },
        aftermath: 'Nothing was written.',
      },
    }));

  it('has no field for what is not known', () =>
    expect(errorDocument(new EtcdkeepError('usage', 'no'))).toEqual({
      error: { code: 'usage', message: 'no', advice: 'see --help', retryable: false },
    }));

  it('a defect', () =>
    expect(errorDocument(new TypeError('boom'))).toEqual({
      error: { code: 'internal', message: 'boom' },
    }));
});
