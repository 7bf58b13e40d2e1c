// etcd.env: what OpenShift's etcd operator leaves on each host for its own scripts. It names the
// certificates of this host and the addresses of every host.

import { isIPv6 } from 'node:net';
import { EtcdkeepError } from '../../base/errors.ts';
import { type Host, STATIC_POD_RESOURCES } from '../host.ts';
import { parseAssignments, ShellSyntaxError } from '../shell-assignments.ts';

export const ETCD_ENV = `${STATIC_POD_RESOURCES}/etcd-certs/configmaps/etcd-scripts/etcd.env`;

/** Where OpenShift keeps it, should the file not say so. */
const DATA_DIRECTORY = '/var/lib/etcd';

/** A host as the file knows it. */
export interface EtcdEnvNode {
  /** The node name with `-` and `.` as `_`, which is what the file's keys are made of. */
  readonly safeName: string;
  /** The member's name in etcd, which is the node's name. */
  readonly name: string;
  /** An address or a host name as it stands in a URL: an IPv6 address in brackets. */
  readonly urlHost: string;
}

/** Paths as they stand in the file, which are those inside the etcd pod. */
export interface EtcdEnv {
  readonly cacert: string;
  readonly cert: string;
  readonly key: string;
  readonly dataDirectory: string;
  /** In the order of the file. */
  readonly nodes: readonly EtcdEnvNode[];
}

/**
 * Reads the host's etcd.env.
 * @throws EtcdkeepError `etcd-env-invalid`, `file-failed`
 */
export async function readEtcdEnv(host: Host): Promise<EtcdEnv> {
  const path = host.realPath(ETCD_ENV);
  if (!(await host.isFile(ETCD_ENV))) throw etcdEnvInvalid('the file is not there', path);
  return parseEtcdEnv(await host.readText(ETCD_ENV), path);
}

/**
 * Parses the text of an etcd.env.
 * @param path where it comes from, for errors
 * @throws EtcdkeepError `etcd-env-invalid`
 */
export function parseEtcdEnv(text: string, path: string): EtcdEnv {
  const values = assignmentsOf(text, path);
  const certificatePath = (name: string): string => {
    const value = values.get(name) ?? '';
    if (value.startsWith('/')) return value;
    throw etcdEnvInvalid(`${name} is ${value === '' ? 'not set' : 'not an absolute path'}`, path);
  };
  return {
    cacert: certificatePath('ETCDCTL_CACERT'),
    cert: certificatePath('ETCDCTL_CERT'),
    key: certificatePath('ETCDCTL_KEY'),
    dataDirectory: values.get('ETCD_DATA_DIR') ?? DATA_DIRECTORY,
    nodes: nodesOf(values, path),
  };
}

/** The form of a node's name in the keys of etcd.env. */
export function safeNodeName(nodeName: string): string {
  return nodeName.replace(/[-.]/g, '_');
}

/** The error of a host whose etcd.env does not say what it should. */
export function etcdEnvInvalid(
  why: string,
  path: string,
  facts: readonly (readonly [string, string])[] = [],
): EtcdkeepError {
  return new EtcdkeepError('etcd-env-invalid', `cannot use etcd.env: ${why}`, { path, facts });
}

function assignmentsOf(text: string, path: string): ReadonlyMap<string, string> {
  try {
    return parseAssignments(text);
  } catch (reason) {
    if (!(reason instanceof ShellSyntaxError)) throw reason;
    throw etcdEnvInvalid(`in line ${reason.line}: ${reason.message}`, path);
  }
}

function nodesOf(values: ReadonlyMap<string, string>, path: string): readonly EtcdEnvNode[] {
  const nodes = [...values].flatMap(([key, name]) => {
    const safeName = /^NODE_(.+)_ETCD_NAME$/.exec(key)?.[1];
    if (safeName === undefined) return [];
    const address =
      values.get(`NODE_${safeName}_ETCD_URL_HOST`) ?? values.get(`NODE_${safeName}_IP`);
    if (address === undefined) throw etcdEnvInvalid(`no address stands for node ${name}`, path);
    return [{ safeName, name, urlHost: urlHostOf(address, path) }];
  });
  if (nodes.length === 0) throw etcdEnvInvalid('it names no node', path);
  return nodes;
}

function urlHostOf(address: string, path: string): string {
  const bare = address.replace(/^\[(.*)\]$/, '$1');
  if (isIPv6(bare)) return `[${bare}]`;
  if (/^[A-Za-z0-9][A-Za-z0-9.-]*$/.test(address)) return address;
  throw etcdEnvInvalid('the address of a node is neither an address nor a host name', path, [
    ['address', address],
  ]);
}
