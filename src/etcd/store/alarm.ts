// The keys of bucket `alarm`: etcdserverpb.AlarmMember; the values are empty.
//   1 memberID, 2 alarm
// Source: etcd, server/storage/schema/alarm.go, api/etcdserverpb/rpc.proto.

import { MessageReader } from './message-reader.ts';

export interface Alarm {
  readonly memberId: bigint;
  /** `NOSPACE`, `CORRUPT`, or the number of one that is not known. */
  readonly type: string;
}

const TYPES: readonly string[] = ['NONE', 'NOSPACE', 'CORRUPT'];

/** @returns the alarm, or what is wrong, as a sentence without a subject */
export function parseAlarm(key: Uint8Array): Alarm | string {
  const message = new MessageReader().open(key);
  let [memberId, type] = [0n, 0n];
  while (message.next()) {
    if (message.field <= 2 && !message.isVarint) return 'is no alarm';
    if (message.field === 1) memberId = message.varint;
    if (message.field === 2) type = message.varint;
  }
  if (message.isMalformed) return 'is no alarm';
  return { memberId, type: TYPES[Number(type)] ?? `${type}` };
}
