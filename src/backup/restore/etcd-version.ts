// Whether the etcd that will run reads what the snapshot's etcd has written: the same minor version does.

import { compareMinors } from '../../etcd/store/notes.ts';
import type { StoreNotes } from '../../etcd/store/store-notes.ts';
import type { BackupRecord } from '../../record/schema.ts';
import { failed, type Outcome, passed, unknown } from '../checks/result.ts';
import type { Here } from './here.ts';
import type { OwnHost } from './own-host.ts';

export interface VersionFacts {
  readonly notes: StoreNotes;
  readonly record: BackupRecord | undefined;
  readonly own: OwnHost;
  readonly here: Here;
}

/** Of the snapshot the record knows most; of the host the image in its manifest, which is what will be started. */
export function checkEtcdVersion({ notes, record, own, here }: VersionFacts): Outcome {
  const ofSnapshot = record?.member.version ?? notes.storageVersion ?? notes.clusterVersion;
  const ofHost = own.imageVersion ?? here.etcdVersion;
  if (ofSnapshot === undefined) return unknown('the snapshot does not say of which etcd it is');
  if (ofHost === undefined) {
    return unknown(`the snapshot is of etcd ${ofSnapshot}; which one will run here is not known`);
  }
  const words = `the snapshot is of etcd ${ofSnapshot}, and this host runs ${ofHost}`;
  return compareMinors(ofSnapshot, ofHost) === 0 ? passed(words) : failed(words);
}
