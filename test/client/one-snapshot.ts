// A process that makes a request, takes one snapshot and then has nothing more to do: it must end by itself, at once.
// Prints the code of the error, or `whole`. Its limits are long, so that a timer left behind would show.
import { messageOf } from '../../src/base/errors.ts';
import { CollectingSink, clientOptions, connect } from './connect.ts';

const MINUTE_MS = 60_000;

const [endpoint, rateLimit, abortAfterMs] = process.argv.slice(2) as [string, string, string];
const controller = new AbortController();
const { signal } = controller;
if (abortAfterMs !== '') setTimeout(() => controller.abort(new Error('aborted')), +abortAfterMs);

const options = clientOptions(
  endpoint,
  {},
  {
    dialTimeoutMs: MINUTE_MS,
    keepaliveTimeMs: MINUTE_MS,
    keepaliveTimeoutMs: MINUTE_MS,
    commandTimeoutMs: MINUTE_MS,
    signal,
  },
);
try {
  await using connection = await connect(options);
  await connection.client.status();
  await connection.client.snapshot(new CollectingSink(), {
    idleTimeoutMs: MINUTE_MS,
    timeoutMs: MINUTE_MS,
    rateLimit: rateLimit === '' ? undefined : Number(rateLimit),
    signal,
  });
  console.log('whole');
} catch (reason) {
  console.log(reason instanceof Error && 'code' in reason ? reason.code : messageOf(reason));
}
