// The scripts that stand in for OpenShift's, beside the executable instead of in a checkout.
import { copyFileSync, symlinkSync } from 'node:fs';
import { join } from 'node:path';
import { expect, it } from 'vitest';
import { directoryForTest } from '../cli/scene.ts';
import { runCommand } from '../servers/command.ts';
import { EXECUTABLE, HOME } from './built.ts';

it.each(['cluster-backup.sh', 'etcd-snapshot-backup.sh'])(
  '%s calls the executable beside it, and says the same',
  async (name) => {
    const directory = directoryForTest();
    copyFileSync(join(HOME, 'bin', name), join(directory, name));
    symlinkSync(EXECUTABLE, join(directory, 'etcdkeep'));
    const ours = await runCommand(join(directory, name), []);
    expect(ours).toEqual(await runCommand(join(HOME, 'bin', name), []));
    expect(ours.code).toBe(1);
    expect(ours.stdout).toContain('backup');
  },
);
