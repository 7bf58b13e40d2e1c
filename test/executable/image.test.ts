// The image: whole by its own digests, and enough for the executable, for a shell, and for a host's programs.
import { createHash } from 'node:crypto';
import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { gunzipSync } from 'node:zlib';
import { beforeAll, describe, expect, it } from 'vitest';
import { ownArchitecture } from '../../scripts/build/architectures.ts';
import { VERSION } from '../../src/cli/version.ts';
import { runCommand } from '../servers/command.ts';
import { temporaryDirectory } from '../servers/directories.ts';
import { type Image, openImage, runInside, unpackImage } from './image.ts';

describe('the image', () => {
  let image: Image;
  const root = join(temporaryDirectory(), 'root');

  beforeAll(() => {
    image = openImage(temporaryDirectory());
    unpackImage(image, root);
  });

  it('has the layers that its configuration names, for this machine', () => {
    const found = image.layers.map((layer) => {
      const bytes = gunzipSync(image.blob(layer));
      return `sha256:${createHash('sha256').update(bytes).digest('hex')}`;
    });
    expect(found).toEqual(image.config.rootfs.diff_ids);
    expect(image.config.architecture).toBe(ownArchitecture());
  });

  it('says the same to an older docker load', () => {
    const path = ({ digest }: { digest: string }) => `blobs/${digest.replace(':', '/')}`;
    expect(image.dockers).toHaveLength(1);
    expect(image.dockers[0]!.Layers).toEqual(image.layers.map(path));
    expect(image.dockers[0]!.RepoTags).toEqual([`localhost/etcdkeep:${VERSION}`]);
  });

  it('runs its entry point as root, without HOME and without a PATH', async () => {
    expect(image.config.config.User).toBe('0:0');
    const [entrypoint] = image.config.config.Entrypoint;
    expect(await runInside(root, [entrypoint!, '--version'])).toEqual({
      code: 0,
      stdout: `${VERSION}\n`,
      stderr: '',
    });
  });

  it('has a shell, from which a host is entered that has nothing of ours', async () => {
    const host = join(root, 'host');
    mkdirSync(host);
    await runCommand('cp', ['-a', join(root, 'usr'), join(root, 'bin'), host]);
    const { code, stdout, stderr } = await runInside(root, [
      '/bin/sh',
      '-c',
      'chroot /host /bin/sh -c "echo from the host"; sleep 0; cat /etc/passwd',
    ]);
    expect(stderr).toBe('');
    expect(code).toBe(0);
    expect(stdout).toBe('from the host\nroot:x:0:0:root:/root:/bin/sh\n');
  });

  it('trusts the authorities that the distribution trusts', async () => {
    const { stdout } = await runInside(root, ['/bin/cat', '/etc/ssl/certs/ca-certificates.crt']);
    expect(stdout.match(/-----BEGIN CERTIFICATE-----/g)!.length).toBeGreaterThan(100);
  });
});
