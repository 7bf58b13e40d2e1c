// A short run of the fuzzer, and what it has found before. The long one is `npm run fuzz`.
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { corpusOf } from './corpus.ts';
import { CountingSource } from './counting-source.ts';
import { reuseMemory } from './reused-memory.ts';
import { failureOf, newTally, runInputs } from './run-inputs.ts';
import { demand, type Target } from './target.ts';
import { TARGETS } from './targets/all.ts';

const INPUTS = 12_000;
/** Some 15 seconds of one core; others may have the machine, too. */
const RUN_TIMEOUT_MS = 300_000;

let undo: () => void;
beforeAll(() => {
  undo = reuseMemory();
});
afterAll(() => undo());

const sum = TARGETS.reduce((total, { weight }) => total + weight, 0);

describe.each(TARGETS)('changed inputs of $name', (target) => {
  it(
    'are read or refused, in bounded work and memory',
    async () => {
      const tally = newTally();
      const count = Math.ceil((INPUTS * target.weight) / sum);
      await runInputs(target, { seed: 1, from: 0, count }, tally);
      expect(tally.failures).toEqual([]);
      expect(tally.outcomes.get('read')).toBeGreaterThan(count / 50);
      expect(tally.outcomes.size).toBeGreaterThan(1);
    },
    RUN_TIMEOUT_MS,
  );

  it('are read or refused where they failed before', async () => {
    for (const [name, bytes] of corpusOf(target.name)) {
      expect([name, await failureOf(target, bytes, 1)]).toEqual([name, undefined]);
    }
  });
});

describe('the fuzzer', () => {
  const faulty = (run: Target['run']): Target => ({
    name: 'faulty',
    weight: 1,
    make: (random) => random.bytes(40),
    run,
  });
  const messageOf = async (target: Target): Promise<string | undefined> => {
    const tally = newTally();
    await runInputs(target, { seed: 1, from: 7, count: 1 }, tally);
    return tally.failures[0]?.message;
  };

  it('finds an error that is none of ours, and makes its input smaller', async () => {
    const tally = newTally();
    const reads = faulty((input) => {
      if (input.length > 5) throw new TypeError('undefined is not a function');
      return 'read';
    });
    await runInputs(reads, { seed: 1, from: 7, count: 1 }, tally);
    expect(tally.failures).toMatchObject([{ target: 'faulty', number: 7 }]);
    expect(tally.failures[0]!.message).toMatch(/^TypeError/);
    expect(tally.failures[0]!.input).toHaveLength(6);
  });

  it('finds work without end', async () => {
    const loops = faulty((input) => {
      const source = new CountingSource(input);
      for (;;) source.read(new Uint8Array(16), 0);
    });
    expect(await messageOf(loops)).toMatch(/bytes of 40 are read$/);
  });

  it('finds reads beyond the end', async () => {
    const reads = faulty((input) => {
      new CountingSource(input).read(new Uint8Array(16), 30);
      return 'read';
    });
    expect(await messageOf(reads)).toBe('16 bytes are read at 30 of 40');
  });

  it('finds memory that the input does not account for', async () => {
    const kept: Uint8Array[] = [];
    const takes = faulty(() => {
      kept.push(new Uint8Array(2 ** 28));
      return 'read';
    });
    expect(await messageOf(takes)).toMatch(/bytes of memory are taken/);
    kept.length = 0;
  });

  it('finds readers that do not agree', async () => {
    const differs = faulty(() => {
      demand(false, 'one says this, another that');
      return 'read';
    });
    expect(await messageOf(differs)).toBe('one says this, another that');
  });

  it('makes the same input of the same seed and number', async () => {
    const seen: string[] = [];
    const target = faulty((input) => {
      seen.push(Buffer.from(input).toString('hex'));
      return 'read';
    });
    for (const from of [3, 0]) {
      await runInputs(target, { seed: 5, from, count: from === 3 ? 1 : 4 }, newTally());
    }
    expect(seen[4]).toBe(seen[0]);
    expect(new Set(seen).size).toBe(4);
  });
});
