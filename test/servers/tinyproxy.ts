// A real forward proxy: tinyproxy, which wants a password and passes on what CONNECT asks for.
import { once } from 'node:events';
import { openSync, readFileSync, writeFileSync } from 'node:fs';
import { connect, createServer } from 'node:net';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { packagedProgram } from './debian-package.ts';
import { removeTemporaryDirectory, temporaryDirectory } from './directories.ts';
import { type FoundPart, findPart, preparePart } from './parts.ts';
import { cleanEnvironment, spawnServer } from './processes.ts';

const TINYPROXY = packagedProgram('tinyproxy', 'tinyproxy-bin', 'usr/bin/tinyproxy', '-v');

/** The program, unpacked if need be. */
export function prepareTinyproxy(): Promise<FoundPart> {
  return preparePart(TINYPROXY);
}

/** The program, if it is there already. */
export function findTinyproxy(): Promise<FoundPart> {
  return findPart(TINYPROXY);
}

export interface Tinyproxy extends AsyncDisposable {
  /** With its credentials. */
  readonly url: string;
  /** How often it was asked for a way to `host:port`, and has given one. */
  asked(target: string): number;
  /** Ends it; whoever asks it is refused from then on. */
  stop(): Promise<void>;
}

/** Starts it on this machine. */
export async function startTinyproxy(user: string, password: string): Promise<Tinyproxy> {
  const found = await findTinyproxy();
  if ('reason' in found) throw new Error(`there is no tinyproxy: ${found.reason}`);
  const directory = temporaryDirectory();
  const port = await freePort();
  const log = join(directory, 'log');
  const config = join(directory, 'config');
  const settings = [
    `Port ${port}`,
    'Listen 127.0.0.1',
    `BasicAuth ${user} ${password}`,
    `LogFile "${log}"`,
    'LogLevel Connect',
    'Timeout 600',
    'MaxClients 100',
  ];
  writeFileSync(config, `${settings.join('\n')}\n`);
  const output = openSync(join(directory, 'output'), 'a');
  const child = spawnServer(found.path, ['-d', '-c', config], cleanEnvironment(), output);
  const exit = once(child, 'exit');
  while (!(await answers(port))) {
    if (child.exitCode !== null) throw new Error(readFileSync(join(directory, 'output'), 'utf8'));
    await sleep(20);
  }
  const stop = async (): Promise<void> => {
    child.kill('SIGKILL');
    await exit;
  };
  return {
    url: `http://${user}:${password}@127.0.0.1:${port}`,
    asked: (target) => readFileSync(log, 'utf8').split(`CONNECT ${target} HTTP`).length - 1,
    stop,
    [Symbol.asyncDispose]: async () => {
      await stop();
      removeTemporaryDirectory(directory);
    },
  };
}

async function freePort(): Promise<number> {
  const server = createServer().listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address() as { port: number };
  server.close();
  await once(server, 'close');
  return port;
}

async function answers(port: number): Promise<boolean> {
  const socket = connect(port, '127.0.0.1');
  const isOpen = await once(socket, 'connect').then(
    () => true,
    () => false,
  );
  socket.destroy();
  return isOpen;
}
