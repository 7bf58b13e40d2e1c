import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { beforeEach, describe, expect, it } from 'vitest';
import { temporaryDirectory } from '../controlplane/host.fixture.ts';
import { executableFor } from './own-executable.ts';

describe('the executable for the host', () => {
  let place: string;
  let script: string;
  beforeEach(async () => {
    place = await temporaryDirectory();
    script = process.argv[1]!;
    // As etcdkeep runs from its sources.
    process.argv[1] = join(place, 'src/cli/main.ts');
    return () => {
      process.argv[1] = script;
    };
  });

  it('is the one that is named, whatever it is', async () => {
    const named = join(place, 'my own');
    writeFileSync(named, '');
    expect(await executableFor('s390x', named)).toBe(named);
  });

  it.each(['amd64', 'arm64'])('is what was built for %s', async (architecture) => {
    const built = join(place, `dist/etcdkeep-linux-${architecture}`);
    mkdirSync(join(place, 'dist'));
    writeFileSync(built, '');
    expect(await executableFor(architecture, undefined)).toBe(built);
  });

  it('is not built: where it would be', async () =>
    expect(executableFor('amd64', undefined)).rejects.toMatchObject({
      code: 'executable-missing',
      message: 'there is no executable of etcdkeep for linux/amd64 to send to the host',
      position: { path: join(place, 'dist/etcdkeep-linux-amd64') },
    }));

  it('is not there, though it was named', async () => {
    const named = join(place, 'none');
    await expect(executableFor('amd64', named)).rejects.toMatchObject({
      code: 'executable-missing',
      position: { path: named },
    });
  });
});
