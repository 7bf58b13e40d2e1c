import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { findApiAccess } from './kubeconfig-files.ts';

const text = (token: string, context = 'admin'): string => `
current-context: ${context}
contexts: [{name: ${context}, context: {cluster: c-${context}, user: u-${context}}}]
clusters: [{name: c-${context}, cluster: {server: "https://${context}:6443"}}]
users: [{name: u-${context}, user: {token: ${token}}}]
`;

describe('findApiAccess', () => {
  let home: string;
  const place = (name: string, content: string): string => {
    const path = join(home, name);
    mkdirSync(join(path, '..'), { recursive: true });
    writeFileSync(path, content);
    return path;
  };
  const find = (options: { kubeconfig?: string; context?: string; env?: object } = {}) =>
    findApiAccess({
      kubeconfig: options.kubeconfig,
      context: options.context,
      env: { HOME: home, ...options.env },
    });

  beforeEach(() => {
    home = mkdtempSync(join(tmpdir(), 'etcdkeep-kubeconfig-'));
  });
  afterEach(() => rmSync(home, { recursive: true }));

  it('is the one that is named, before KUBECONFIG, before the one at home', async () => {
    place('.kube/config', text('home'));
    const [named, listed] = [place('named', text('named')), place('listed', text('listed'))];
    expect((await find()).token).toBe('home');
    expect((await find({ env: { KUBECONFIG: listed } })).token).toBe('listed');
    expect((await find({ kubeconfig: named, env: { KUBECONFIG: listed } })).token).toBe('named');
  });

  it('joins what KUBECONFIG lists, without what is not there', async () => {
    const [one, two] = [place('one', text('one', 'a')), place('two', text('two', 'b'))];
    const env = { KUBECONFIG: `${join(home, 'gone')}::${one}:${two}` };
    expect((await find({ env })).server.host).toBe('a:6443');
    expect((await find({ env, context: 'b' })).token).toBe('two');
  });

  it('one that is named and not there is an error', async () => {
    place('.kube/config', text('home'));
    const kubeconfig = join(home, 'gone');
    await expect(find({ kubeconfig })).rejects.toMatchObject({
      code: 'kubeconfig-missing',
      position: { path: kubeconfig },
    });
  });

  it.each([{ env: {} }, { env: { HOME: undefined } }])(
    'without any: says so %#',
    async ({ env }) => {
      await expect(find({ env })).rejects.toMatchObject({
        code: 'kubeconfig-missing',
        message: 'there is no kubeconfig',
      });
    },
  );
});
