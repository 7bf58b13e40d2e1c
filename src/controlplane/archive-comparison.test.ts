import { describe, expect, it } from 'vitest';
import { tarGzOf } from '../../test/fixtures/tar.ts';
import { compareArchive } from './archive-comparison.ts';
import { CONFIG, ETCD, inspect, membersOf, SOUND } from './archive-inspection.fixture.ts';

describe('beside a record', () => {
  const recorded = async () => {
    const { bytes, sha256, members } = await inspect(tarGzOf(...membersOf(SOUND)));
    return {
      bytes,
      sha256,
      members: members.map((member) => ({ ...member, sha256: member.sha256! })),
    };
  };

  it('the archive that was recorded', async () => {
    const same = await inspect(tarGzOf(...membersOf(SOUND)));
    expect(compareArchive(same, await recorded())).toEqual({
      isSameFile: true,
      missing: [],
      extra: [],
      changed: [],
    });
  });

  it('another: what is missing, more, and not the same', async () => {
    const [first, ...rest] = membersOf(SOUND);
    const changed = rest.map((member) => {
      if (member.path === CONFIG) return { ...member, mode: '0000644\0' };
      return member.path === `${ETCD}/etcd-pod.yaml` ? { ...member, body: '# another\n' } : member;
    });
    const found = await inspect(
      tarGzOf(...changed, { path: 'new', body: '' }, { path: 'd/', type: '5' }),
    );
    expect(compareArchive(found, await recorded())).toEqual({
      isSameFile: false,
      missing: [first!.path],
      extra: ['new'],
      changed: [
        { path: `${ETCD}/etcd-pod.yaml`, what: ['bytes', 'sha256'] },
        { path: CONFIG, what: ['mode'] },
      ],
    });
  });
});
