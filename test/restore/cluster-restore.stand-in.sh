#!/usr/bin/env bash
# A stand-in for OpenShift's cluster-restore.sh, for tests: the same steps in the same order with the same words, as far as a
# host without a container runtime has them. What the real one leaves to a pod (restore-etcd-pod) it does itself.
# The real one: cluster-etcd-operator, bindata/etcd/cluster-restore.sh and etcd-common-tools.
set -o errexit
set -o pipefail

BACKUP_DIR="$1"
[[ -d "$BACKUP_DIR" ]] || { echo "Path to the directory containing backup files is required: ./cluster-restore.sh <path-to-backup>"; exit 1; }

MANIFEST_DIR=/etc/kubernetes/manifests
STOPPED_DIR=/home/core/assets/manifests-stopped
BACKUP_FILE=$(ls -vd "$BACKUP_DIR"/static_kuberesources*.tar.gz | tail -1)
SNAPSHOT_FILE=$(ls -vd "$BACKUP_DIR"/snapshot*.db | tail -1)
[[ -f "$SNAPSHOT_FILE" ]] || { echo "etcd snapshot $SNAPSHOT_FILE does not exist"; exit 1; }
echo "files: $(ls "$BACKUP_DIR" | wc -l)"

mkdir -p "$STOPPED_DIR"
echo "...stopping etcd-pod.yaml"
mv "$MANIFEST_DIR/etcd-pod.yaml" "$STOPPED_DIR"
echo "Waiting for container etcd to stop"
for _ in $(seq 100); do flock -n /var/lib/etcd/member/snap/db true && break; sleep 0.1; done
echo "complete"

mkdir -p /var/lib/etcd-backup
if [[ -d /var/lib/etcd/member ]]; then
  if [[ -d /var/lib/etcd-backup/member ]]; then
    echo "removing previous backup /var/lib/etcd-backup/member"
    rm -rf /var/lib/etcd-backup/member
  fi
  echo "Moving etcd data-dir /var/lib/etcd/member to /var/lib/etcd-backup"
  mv /var/lib/etcd/member /var/lib/etcd-backup/
fi
[[ -z "$(cat /etc/stand-in-fails 2>/dev/null)" ]] || { echo "tar: made to fail" >&2; exit 2; }
tar -C /etc/kubernetes -xzf "$BACKUP_FILE" static-pod-resources

echo "starting restore-etcd static pod"
/opt/etcdutl snapshot restore "$SNAPSHOT_FILE" --name "$(cat /etc/stand-in-name)" \
  --initial-cluster "$(cat /etc/stand-in-name)=$(cat /etc/stand-in-peer)" --initial-advertise-peer-urls "$(cat /etc/stand-in-peer)" \
  --data-dir /var/lib/etcd/restore-stand-in --mark-compacted --bump-revision 1000000000 2>/dev/null
mv /var/lib/etcd/restore-stand-in/member /var/lib/etcd/
rmdir /var/lib/etcd/restore-stand-in
cp -p "$STOPPED_DIR/etcd-pod.yaml" "$MANIFEST_DIR/.etcd-pod.yaml"
mv "$MANIFEST_DIR/.etcd-pod.yaml" "$MANIFEST_DIR/etcd-pod.yaml"
echo "SNAPSHOT RESTORE COMPLETED"
