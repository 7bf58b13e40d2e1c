import { describe, expect, it } from 'vitest';
import { type HandMadeMember, paxRecord, tarMember } from '../../test/fixtures/tar.ts';
import { type ArchiveRule } from './archive-finding.ts';
import { CONFIG, ETCD, inspectWith, PEER, pair, rulesOf } from './archive-inspection.fixture.ts';

describe('members', () => {
  const key = pair()['tls.key'];

  it.each<[string, (HandMadeMember | Buffer)[], ArchiveRule, string | undefined]>([
    ['an absolute path', [{ path: '/etc/passwd', body: 'x' }], 'path-escapes', '/etc/passwd'],
    [
      'a path with ..',
      [{ path: 'static-pod-resources/../../x', body: 'x' }],
      'path-escapes',
      'static-pod-resources/../../x',
    ],
    [
      'a long name with ..',
      [{ path: 'l', type: 'L', body: 'a/../b\0' }, { path: 'short' }],
      'path-escapes',
      'a/../b',
    ],
    [
      'a pax name that is absolute',
      [{ path: 'p', type: 'x', body: paxRecord('path', '/x') }, { path: 's' }],
      'path-escapes',
      '/x',
    ],
    [
      'a second one of the same path',
      [{ path: `${ETCD}/etcd-pod.yaml`, body: 'y' }],
      'duplicate-member',
      `${ETCD}/etcd-pod.yaml`,
    ],
    [
      'the same, written otherwise',
      [{ path: `./${ETCD}/etcd-pod.yaml`, body: 'y' }],
      'duplicate-member',
      `${ETCD}/etcd-pod.yaml`,
    ],
    ['a device', [{ path: `${ETCD}/dev`, type: '3' }], 'special-file', `${ETCD}/dev`],
    ['a block device', [{ path: `${ETCD}/dev`, type: '4' }], 'special-file', `${ETCD}/dev`],
    ['a pipe', [{ path: `${ETCD}/pipe`, type: '6' }], 'special-file', `${ETCD}/pipe`],
    [
      'an unknown type',
      [{ path: `${ETCD}/odd`, type: 'Z', body: 'abc' }],
      'special-file',
      `${ETCD}/odd`,
    ],
    [
      'another name of a member',
      [{ path: `${ETCD}/hard`, type: '1', link: `${ETCD}/etcd-pod.yaml` }],
      'hard-link',
      `${ETCD}/hard`,
    ],
    [
      'a hard link to elsewhere',
      [{ path: `${ETCD}/hard`, type: '1', link: '/etc/shadow' }],
      'hard-link-broken',
      `${ETCD}/hard`,
    ],
    [
      'a link out of the tree',
      [{ path: `${ETCD}/link`, type: '2', link: '../../../x' }],
      'link-escapes',
      `${ETCD}/link`,
    ],
    [
      'a link to an absolute path',
      [{ path: `${ETCD}/link`, type: '2', link: '/etc/shadow' }],
      'link-escapes',
      `${ETCD}/link`,
    ],
    ['empty parts in a path', [{ path: `${ETCD}//twice`, body: '' }], 'path-odd', `${ETCD}//twice`],
    [
      'a name that is not UTF-8',
      [{ path: Buffer.from(`${ETCD}/\xff`, 'latin1') }],
      'path-odd',
      `${ETCD}/\ufffd`,
    ],
    [
      'a certificate that does not parse',
      [{ path: 'a.crt', body: '-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n' }],
      'certificate-unreadable',
      'a.crt',
    ],
    [
      'a certificate without an end',
      [{ path: 'a.crt', body: PEER['tls.crt'].subarray(0, 200) }],
      'certificate-unreadable',
      'a.crt',
    ],
    [
      'a certificate with a letter too many',
      [{ path: 'a.crt', body: PEER['tls.crt'].toString().replace('MII', 'M*II') }],
      'certificate-unreadable',
      'a.crt',
    ],
    [
      'no certificate where one should be',
      [{ path: 'a.crt', body: 'a certificate' }],
      'certificate-unreadable',
      'a.crt',
    ],
    [
      "another certificate's key",
      [
        { path: 'a/tls.crt', body: PEER['tls.crt'] },
        { path: 'a/tls.key', body: key },
      ],
      'key-mismatch',
      'a/tls.key',
    ],
    [
      'the same, the key first',
      [
        { path: 'a/tls.key', body: key },
        { path: 'a/tls.crt', body: PEER['tls.crt'] },
      ],
      'key-mismatch',
      'a/tls.key',
    ],
    [
      'a key that does not parse',
      [
        { path: 'a/tls.crt', body: PEER['tls.crt'] },
        { path: 'a/tls.key', body: 'x' },
      ],
      'key-unreadable',
      'a/tls.key',
    ],
    [
      'an expired certificate',
      [{ path: 'a.crt', body: pair({ validity: ['240101000000Z', '260101000000Z'] })['tls.crt'] }],
      'certificate-expired',
      'a.crt',
    ],
    [
      'a certificate of tomorrow',
      [{ path: 'a.crt', body: pair({ validity: ['270101000000Z', '280101000000Z'] })['tls.crt'] }],
      'certificate-not-yet-valid',
      'a.crt',
    ],
    [
      'more behind the end',
      [Buffer.concat([Buffer.alloc(1024), tarMember({ path: 'hidden', body: 'x' })])],
      'data-after-end',
      undefined,
    ],
  ])('%s', async (_, more, rule, member) => {
    const found = await inspectWith(...more);
    const told = found.findings.filter((finding) => finding.rule === rule);
    expect(told.map((finding) => finding.member)).toEqual([member]);
    // Nothing else is found, but for how the second path is written.
    expect(rulesOf(found).filter((other) => other !== rule && other !== 'path-odd')).toEqual([]);
    expect(found.pods).toHaveLength(4);
  });

  it('written through a link: one that tar(1) would put elsewhere', async () => {
    const found = await inspectWith(
      { path: `${ETCD}/out`, type: '2', link: '/tmp' },
      { path: `${ETCD}/out/file`, body: 'x' },
    );
    expect(rulesOf(found)).toEqual(['path-escapes', 'link-escapes']);
    expect(found.findings[0]).toMatchObject({ severity: 'error', member: `${ETCD}/out/file` });
  });

  it('a hard link is a file with the digest of the other name', async () => {
    const found = await inspectWith({ path: `${ETCD}/hard`, type: '1', link: CONFIG });
    const [config, hard] = [CONFIG, `${ETCD}/hard`].map(
      (path) => found.members.find((each) => each.path === path)!,
    );
    expect(hard!.sha256).toBe(config!.sha256);
  });

  it('a certificate in a kubeconfig, which has another key there', async () => {
    const config = (key: Buffer): string =>
      `users:\n- user:\n    client-certificate-data: ${PEER['tls.crt'].toString('base64')}\n    client-key-data: ${key.toString('base64')}\n`;
    const good = await inspectWith({ path: `${ETCD}/kubeconfig`, body: config(PEER['tls.key']) });
    expect(good.findings).toEqual([]);
    expect(good.certificates.filter(({ path }) => path === `${ETCD}/kubeconfig`)).toHaveLength(1);
    expect(rulesOf(await inspectWith({ path: `${ETCD}/kubeconfig`, body: config(key) }))).toEqual([
      'key-mismatch',
    ]);
  });
});
