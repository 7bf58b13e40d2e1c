import { mkdir, readdir, readFile, stat, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { beforeEach, expect, it, onTestFinished } from 'vitest';
import { processLabel } from '../base/process-label.ts';
import { temporaryDirectory } from '../controlplane/host.fixture.ts';
import { updateMetricsFile } from './metrics-file.ts';

const RUN = { began: new Date(1_795_445_581_123), durationMs: 5, exitCode: 1, backup: undefined };

let directory: string;
let path: string;
beforeEach(async () => {
  directory = await temporaryDirectory();
  path = join(directory, 'etcdkeep.prom');
});

it('everybody may read it, whatever the umask', async () => {
  const before = process.umask(0o077);
  onTestFinished(() => void process.umask(before));
  await updateMetricsFile(path, RUN);
  expect((await stat(path)).mode & 0o7777).toBe(0o644);
  expect(await readdir(directory)).toEqual(['etcdkeep.prom']);
});

it('goes on from what it said', async () => {
  await updateMetricsFile(path, RUN);
  await updateMetricsFile(path, RUN);
  expect(await readFile(path, 'utf8')).toContain('\netcdkeep_backup_failures_total 2\n');
});

it('of somebody else stays as it is', async () => {
  await writeFile(path, 'node_load1 0.21\n');
  await expect(updateMetricsFile(path, RUN)).rejects.toMatchObject({ code: 'target-exists' });
  expect(await readFile(path, 'utf8')).toBe('node_load1 0.21\n');
  expect(await readdir(directory)).toEqual(['etcdkeep.prom']);
});

it('of any length is not read', async () => {
  await writeFile(path, '\n'.repeat(70_000));
  await expect(updateMetricsFile(path, RUN)).rejects.toMatchObject({ code: 'file-failed' });
  expect((await stat(path)).size).toBe(70_000);
});

it('where there is no directory, or it is one itself, is named', async () => {
  await expect(updateMetricsFile(join(path, 'x.prom'), RUN)).rejects.toMatchObject({
    code: 'file-failed',
    position: { path },
  });
  await mkdir(path);
  await expect(updateMetricsFile(path, RUN)).rejects.toMatchObject({ code: 'file-failed' });
});

it('takes away what a run has left that was killed while it wrote', async () => {
  const [host] = processLabel().split('-');
  const left = join(directory, `.etcdkeep-${host!}-00000000-1-1-1-abcdef`);
  await mkdir(left);
  await writeFile(join(left, 'etcdkeep.prom'), 'half');
  await updateMetricsFile(path, RUN);
  expect(await readdir(directory)).toEqual(['etcdkeep.prom']);
});
