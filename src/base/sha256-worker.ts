// The other end of sha256.ts.

import { createHash } from 'node:crypto';
import { parentPort, workerData } from 'node:worker_threads';
import type { FromThread, ThreadData, ToThread } from './sha256.ts';

const { memory, slotSize } = workerData as ThreadData;
const hash = createHash('sha256');

parentPort!.on('message', (message: ToThread) => {
  if ('slot' in message) {
    const { slot, length } = message;
    hash.update(new Uint8Array(memory, slot * slotSize, length));
    parentPort!.postMessage({ slot } satisfies FromThread);
    return;
  }
  const body = hash.copy().digest('hex');
  const whole = hash.update(message.tail).digest('hex');
  parentPort!.postMessage({ body, whole } satisfies FromThread);
});
