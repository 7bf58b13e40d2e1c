// The layouts that etcdkeep knows.

import type { Host, LayoutName } from './host.ts';
import { findKubeadmEtcd } from './kubeadm/local-etcd.ts';
import { findKubeadmPods } from './kubeadm/static-pods.ts';
import type { Layout } from './layout.ts';
import { findOpenshiftEtcd } from './openshift/local-etcd.ts';
import { findOpenshiftPods } from './openshift/static-pods.ts';

const LAYOUTS: Readonly<Record<LayoutName, Layout>> = {
  openshift: { findLocalEtcd: findOpenshiftEtcd, findStaticPods: findOpenshiftPods },
  kubeadm: { findLocalEtcd: findKubeadmEtcd, findStaticPods: findKubeadmPods },
};

export function layoutOf(host: Host): Layout {
  return LAYOUTS[host.layout];
}
