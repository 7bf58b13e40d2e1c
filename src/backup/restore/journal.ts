// What a restore writes down of itself: its plan, and each step before its effect and after it. A run that was
// killed is known by it, gone on with and gone back from.

import { type FileHandle, mkdir, open, rm, unlink } from 'node:fs/promises';
import { join } from 'node:path';
import { z } from 'zod';
import { namesIn } from '../../base/directory-names.ts';
import {
  readSmallFile,
  syncDirectory,
  writeFileAtomically,
  writeFileDurably,
} from '../../base/durable-files.ts';
import { EtcdkeepError, messageOf, systemCodeOf, writeError } from '../../base/errors.ts';
import type { Host } from '../../controlplane/host.ts';
import type { RestorePlan } from './plan.ts';

/** In the order in which they are made. */
export const STEPS = ['build', 'stop', 'keep', 'data', 'resources', 'start', 'serve'] as const;

export type StepName = (typeof STEPS)[number];

/** Where runs leave their journals, by their stamps. Not below /run: they outlive the machine's next start. */
export const RESTORES = '/var/lib/etcdkeep/restores';

const STAMP = /^\d{8}-\d{6}$/;

/** A plan names some hundred files. */
const PLAN_BYTES_MAX = 4 << 20;

/** Some thirty lines a run, and as many for each time that it is gone on with. */
const JOURNAL_BYTES_MAX = 16 << 20;

/** Given up when the disk is full, so that going back can still be written down. */
const RESERVE_BYTES = 16 << 10;

const builtSchema = z.object({
  /** Each file of the new data directory, by its path below `member`: what changes as soon as it is written to. */
  files: z.record(z.string(), z.string()),
  /** Live keys of the snapshot; absent if nobody has counted them. */
  keys: z.number().optional(),
  /** Where the static resources wait that are moved, in the order of the plan; as the host knows them. */
  staging: z.array(z.string()),
  /** Some live keys, as base64, each with the revision of its last change. */
  sample: z.array(z.object({ key: z.string(), modRevision: z.string() })),
});

/** What was built. */
export type Built = z.infer<typeof builtSchema>;

const entrySchema = z.object({
  /** RFC 3339. */
  at: z.string(),
  step: z.enum([...STEPS, 'rollback']),
  state: z.enum(['begun', 'done', 'undone']),
  built: builtSchema.optional(),
});

export type JournalEntry = z.infer<typeof entrySchema>;

/** How far a run has come. */
export interface JournalState {
  /** A step that was undone is none of them. */
  readonly done: ReadonlySet<StepName>;
  readonly begun: ReadonlySet<StepName>;
  readonly rollback: 'none' | 'begun' | 'done';
  readonly built: Built | undefined;
}

export class Journal {
  readonly plan: RestorePlan;
  /** As it is seen from here. */
  readonly directory: string;
  readonly #entries: JournalEntry[];
  readonly #file: FileHandle;

  private constructor(
    plan: RestorePlan,
    directory: string,
    entries: JournalEntry[],
    file: FileHandle,
  ) {
    this.plan = plan;
    this.directory = directory;
    this.#entries = entries;
    this.#file = file;
  }

  /**
   * Begins the journal of a run.
   * @throws EtcdkeepError `target-exists` (a run of that stamp), `target-unwritable`, `disk-full`, `file-failed`
   */
  static async create(host: Host, plan: RestorePlan): Promise<Journal> {
    const restores = host.realPath(RESTORES);
    const directory = join(restores, plan.stamp);
    try {
      await mkdir(restores, { recursive: true, mode: 0o700 });
      await sweepUnbegun(restores);
      await mkdir(directory, { mode: 0o700 });
    } catch (reason) {
      throw writeError(reason, 'begin the journal', directory);
    }
    try {
      await writeFileDurably(join(directory, 'journal'), '');
      await writeFileDurably(join(directory, 'reserve'), Buffer.alloc(RESERVE_BYTES, 1));
      // Without a plan there is no run: it comes last.
      const text = `${JSON.stringify(plan, undefined, 2)}\n`;
      await writeFileAtomically(join(directory, 'plan.json'), text);
      for (const above of ['', '..', '../..', '../../..']) {
        await syncDirectory(join(directory, above));
      }
    } catch (reason) {
      // The first failure is the one to tell.
      await rm(directory, { recursive: true, force: true }).catch(() => undefined);
      throw reason;
    }
    return await Journal.open(host, plan.stamp);
  }

  /**
   * Opens the journal of a run to go on with it. A last line that was not written to its end is dropped.
   * @throws EtcdkeepError `restore-not-found`, `restore-journal-invalid`, `target-unwritable`, `file-failed`
   */
  static async open(host: Host, stamp: string): Promise<Journal> {
    const { plan, entries, bytes, directory } = await read(host, stamp);
    const path = join(directory, 'journal');
    try {
      const file = await open(path, 'r+');
      await file.truncate(bytes);
      await file.close();
      return new Journal(plan, directory, entries, await open(path, 'a'));
    } catch (reason) {
      throw writeError(reason, 'go on with the journal', path);
    }
  }

  get state(): JournalState {
    return stateOf(this.#entries);
  }

  /**
   * Writes a line, which is on the disk on return.
   * @throws EtcdkeepError `disk-full`, `target-unwritable`, `file-failed`
   */
  async add(entry: Omit<JournalEntry, 'at'>, now: Date): Promise<void> {
    const full: JournalEntry = { at: now.toISOString(), ...entry };
    const line = `${JSON.stringify(full)}\n`;
    const path = join(this.directory, 'journal');
    try {
      await this.#append(line);
    } catch (reason) {
      if (!['ENOSPC', 'EDQUOT'].includes(systemCodeOf(reason) ?? '')) {
        throw writeError(reason, 'write the journal', path);
      }
      await this.#appendWithReserve(line, reason);
    }
    this.#entries.push(full);
  }

  async close(): Promise<void> {
    await this.#file.close();
  }

  async #appendWithReserve(line: string, full: unknown): Promise<void> {
    const path = join(this.directory, 'reserve');
    try {
      await unlink(path);
      await this.#append(line);
    } catch {
      throw writeError(full, 'write the journal', join(this.directory, 'journal'));
    }
  }

  /** All of a line, or nothing that a later one would stand behind. */
  async #append(line: string): Promise<void> {
    const { size } = await this.#file.stat();
    try {
      await this.#file.writeFile(line);
      await this.#file.sync();
    } catch (reason) {
      await this.#file.truncate(size).catch(() => undefined);
      throw reason;
    }
  }
}

/** A run that was killed before its plan was there has done nothing, and leaves nothing to know. */
async function sweepUnbegun(restores: string): Promise<void> {
  for (const stamp of (await namesIn(restores)).filter((name) => STAMP.test(name))) {
    const directory = join(restores, stamp);
    if ((await namesIn(directory)).includes('plan.json')) continue;
    await rm(directory, { recursive: true });
  }
}

/** A run that was begun on the host. */
export interface KnownRestore {
  readonly plan: RestorePlan;
  readonly state: JournalState;
  readonly entries: readonly JournalEntry[];
}

/**
 * The runs of the host, the oldest first.
 * @throws EtcdkeepError `restore-journal-invalid`, `file-failed`
 */
export async function knownRestores(host: Host): Promise<readonly KnownRestore[]> {
  const found: KnownRestore[] = [];
  const restores = host.realPath(RESTORES);
  for (const stamp of (await namesIn(restores)).filter((name) => STAMP.test(name)).sort()) {
    // A run that was killed before its plan was there has done nothing.
    if (!(await namesIn(join(restores, stamp))).includes('plan.json')) continue;
    const { plan, entries } = await read(host, stamp);
    found.push({ plan, entries, state: stateOf(entries) });
  }
  return found;
}

/** Whether the host is left between two states: neither gone back, nor told to start on the restored data. */
export function isUnfinished({ done, rollback }: JournalState): boolean {
  return rollback === 'begun' || (rollback === 'none' && !done.has('start'));
}

function stateOf(entries: readonly JournalEntry[]): JournalState {
  const done = new Set<StepName>();
  const begun = new Set<StepName>();
  let rollback: JournalState['rollback'] = 'none';
  let built: Built | undefined;
  for (const { step, state, built: facts } of entries) {
    built = facts ?? built;
    if (step === 'rollback') {
      rollback = state === 'undone' ? 'none' : state;
      continue;
    }
    if (state === 'begun') begun.add(step);
    if (state === 'done') done.add(step);
    if (state === 'undone') {
      begun.delete(step);
      done.delete(step);
    }
  }
  return { done, begun, rollback, built };
}

async function read(host: Host, stamp: string) {
  const directory = join(host.realPath(RESTORES), stamp);
  const planPath = join(directory, 'plan.json');
  if (!STAMP.test(stamp) || !(await namesIn(directory)).includes('plan.json')) {
    throw new EtcdkeepError('restore-not-found', `there is no restore ${stamp} on this host`, {
      path: directory,
    });
  }
  const planBytes = await readSmallFile(planPath, 'read the plan', PLAN_BYTES_MAX);
  const plan = parse(planBytes.toString('utf8'), planPath) as Partial<RestorePlan> | null;
  if (plan?.version !== 1 || plan.stamp !== stamp) {
    throw invalid('it is no plan of a kind that etcdkeep knows', planPath);
  }
  const path = join(directory, 'journal');
  const text = (await readSmallFile(path, 'read the journal', JOURNAL_BYTES_MAX)).toString('utf8');
  const end = text.lastIndexOf('\n') + 1;
  const lines = text.slice(0, end).split('\n').slice(0, -1);
  const entries = lines.map((line, index) => {
    const { data } = entrySchema.safeParse(parse(line, path));
    if (data === undefined) throw invalid(`line ${index + 1} is none of a journal`, path);
    return data;
  });
  return {
    directory,
    plan: plan as RestorePlan,
    entries,
    bytes: Buffer.byteLength(text.slice(0, end)),
  };
}

function parse(text: string, path: string): unknown {
  try {
    return JSON.parse(text);
  } catch (reason) {
    throw invalid(messageOf(reason), path);
  }
}

function invalid(why: string, path: string): EtcdkeepError {
  return new EtcdkeepError('restore-journal-invalid', `cannot go by the journal: ${why}`, { path });
}
