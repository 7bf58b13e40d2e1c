// Whether OpenShift is writing its objects anew with another encryption key.

import { EtcdkeepError } from '../../base/errors.ts';
import type { Host } from '../../controlplane/host.ts';
import { isAbsent } from '../../kubernetes/api-refusal.ts';
import type { EncryptionConfig } from '../../kubernetes/encryption-config.ts';
import { conditionsOf } from './operator-conditions.ts';
import { failed, type Outcome, passed, unknown } from './result.ts';

/** What each of the API servers that encrypt is configured by (operator.openshift.io/v1). */
const OPERATORS = ['kubeapiservers', 'openshiftapiservers', 'authentications'];

/** openshift/library-go, pkg/operator/encryption/controllers/migration_controller.go. */
const CONDITION = 'EncryptionMigrationControllerProgressing';

/** One that was never asked to encrypt has no such condition. Before a migration the kube-apiserver is told of the new key. */
export async function checkEncryptionMigration(
  host: Host,
  encryption: EncryptionConfig,
  signal: AbortSignal,
): Promise<Outcome> {
  if (encryption.resources.length === 0) return passed('this host has no encryption-config');
  const paths = OPERATORS.map((plural) => `/apis/operator.openshift.io/v1/${plural}/cluster`);
  const found = await conditionsOf(host, { paths, type: CONDITION, signal });
  const migrating = found.flatMap((one) =>
    one instanceof EtcdkeepError || one?.status !== 'True' ? [] : [one.message || CONDITION],
  );
  if (migrating.length > 0) return failed(migrating.join('; '));
  const refused = found.find((one) => one instanceof EtcdkeepError && !isAbsent(one));
  if (refused instanceof EtcdkeepError) return unknown(refused.message);
  if (found.every(isAbsent)) return unknown(`no ${OPERATORS.join(', no ')} to ask`);
  return passed('no resource is being migrated to another key');
}
