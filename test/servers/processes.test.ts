import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { setTimeout as sleep } from 'node:timers/promises';
import { expect, it } from 'vitest';
import { describeWithEtcd } from './for-vitest.ts';
import { cleanEnvironment, findOnPath, isAlive } from './processes.ts';

const SCRIPT = `
  import { startEtcd } from '${import.meta.dirname}/etcd.ts';
  const cluster = await startEtcd({ version: '3.6.16' });
  console.log(cluster.member.pid);
  setInterval(() => {}, 1000);
`;

describeWithEtcd('3.6.16', 'a process that started a server', () => {
  it.each(['SIGKILL', 'SIGTERM', 'SIGINT'] as const)(
    'dies by %s: the server dies too',
    async (signal) => {
      const starter = spawn(process.execPath, ['--input-type=module', '-e', SCRIPT], {
        stdio: ['ignore', 'pipe', 'inherit'],
      });
      const [pid] = (await once(starter.stdout, 'data')) as [Buffer];
      const server = parseInt(pid.toString(), 10);
      expect(isAlive(server)).toBe(true);
      starter.kill(signal);
      await once(starter, 'exit');
      const deadline = performance.now() + 5000;
      while (isAlive(server) && performance.now() < deadline) await sleep(20);
      expect(isAlive(server)).toBe(false);
    },
  );
});

it('a program that is not on the PATH is not found', () => {
  expect(findOnPath('etcdkeep-no-such-program')).toBeUndefined();
});

it("etcd's own variables do not reach a server", () => {
  process.env.ETCDCTL_ENDPOINTS = 'http://192.0.2.1:2379';
  try {
    expect(cleanEnvironment().ETCDCTL_ENDPOINTS).toBeUndefined();
    expect(cleanEnvironment().PATH).toBe(process.env.PATH);
  } finally {
    delete process.env.ETCDCTL_ENDPOINTS;
  }
});
