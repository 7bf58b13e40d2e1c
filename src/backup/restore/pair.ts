// Whether the two files of a backup belong together, and how they were proven.

import { formatMoment, formatSpan } from '../../base/units.ts';
import { failed, type Outcome, passed, unknown } from '../checks/result.ts';
import type { Verification } from '../verify.ts';
import type { RestoreSource } from './restore-source.ts';

/** The record binds them, by their digests; without one only their stamp does. */
export function checkPair({ kind, backup }: RestoreSource, verification: Verification): Outcome {
  if (kind === 'data')
    return passed('the data of a member, without static resources: those of this host stay');
  if (kind === 'snapshot') {
    return passed('a snapshot alone, without static resources: those of this host stay');
  }
  const { record, resources, stamp } = backup;
  if (resources === undefined) {
    const place = record?.resources.directory;
    return failed(
      `the static resources of ${stamp ?? 'this snapshot'} are not ${place === undefined ? 'beside it' : `in ${place}`}`,
    );
  }
  if (record === undefined) {
    return unknown(`both files have the stamp ${stamp ?? ''}, and no record says more`);
  }
  const { snapshot, resources: archive } = verification;
  const strangers = [
    ...(snapshot?.sha256 === record.snapshot.sha256 ? [] : ['the snapshot']),
    ...(archive?.sha256 === record.resources.sha256 ? [] : ['the archive of the static resources']),
  ];
  if (strangers.length === 0)
    return passed(`both files of ${record.stamp} have the digests that the record names`);
  const verb = strangers.length === 1 ? 'is' : 'are';
  return failed(`${strangers.join(' and ')} ${verb} not of the backup that the record speaks of`);
}

/** As etcdkeep verify would say, now. */
export function checkVerified({ result, reasons, seen }: Verification): Outcome {
  if (result === 'bad') return failed(reasons.slice(0, 2).join('; '));
  return (result === 'good' ? passed : unknown)([...reasons, ...seen].join('; '));
}

/** What the record remembers of drills. */
export function checkDrilled({ backup }: RestoreSource, now: Date): Outcome {
  const { record } = backup;
  if (record === undefined) return unknown('without a record it is not known');
  const last = record.verdicts.findLast(({ kind }) => kind === 'drill');
  if (last === undefined) return failed('it was never drilled');
  const at = new Date(last.at);
  const when = `${formatSpan(now.getTime() - at.getTime())} ago (${formatMoment(at)})`;
  if (last.result === 'bad') return failed(`the drill ${when} said BAD: ${last.evidence}`);
  return (last.result === 'good' ? passed : unknown)(`drilled ${when}: ${last.evidence}`);
}
