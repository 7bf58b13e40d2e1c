// Nodes in vitest: taken down with their tests, and never passed over in silence.
import { afterAll, beforeAll, describe } from 'vitest';
import { describeNotRun } from '../for-vitest.ts';
import { findTinyproxy } from '../tinyproxy.ts';
import { type ControlPlaneNode, findNode, type NodeOptions, startNode } from './node.ts';
import { findOpenssh } from './openssh.ts';

const found = await findNode();
const tinyproxy = await findTinyproxy();
const openssh = await findOpenssh();

/** Describes something that needs a node; its tests are skipped if none can be had. */
export function describeWithNode(name: string, body: () => void): void {
  if ('reason' in found) describeNotRun(name, { server: 'a node', ...found }, body);
  else describe(name, body);
}

/** The same of something that needs a proxy beside it. */
export function describeWithTinyproxy(name: string, body: () => void): void {
  if ('reason' in tinyproxy) describeNotRun(name, { server: 'tinyproxy', ...tinyproxy }, body);
  else describe(name, body);
}

/** The same of a node that is reached by ssh. */
export function describeWithSshNode(name: string, body: () => void): void {
  if ('reason' in openssh) describeNotRun(name, { server: 'openssh', ...openssh }, body);
  else describeWithNode(name, body);
}

/**
 * Starts one node for all tests of the describe block it is called in.
 * @returns a function that gives the node, for use inside tests and later hooks
 */
export function nodeForSuite(options?: NodeOptions): () => ControlPlaneNode {
  let node: ControlPlaneNode | undefined;
  beforeAll(async () => {
    node = await startNode(options);
  });
  afterAll(() => node?.[Symbol.asyncDispose]());
  return () => {
    if (node === undefined) throw new Error('the node runs only while tests do');
    return node;
  };
}
