#!/bin/sh
# Turns a directory into the "/" of a node and starts the node's PID 1 there. It runs in namespaces of its own (machine.ts),
# where nothing that it mounts is seen by anybody else.
#   enter-node.sh DIRECTORY HOST-NAME CONTROL-GROUP [FROM TO]...     FROM of this machine is seen at TO, and cannot be written
set -eu
root=$1 name=$2 group=$3
shift 3

# The network is plugged in by whoever reads this, and says so.
echo made
read -r _

echo "$name" >/proc/sys/kernel/hostname
mount --bind "$root" "$root"
cd "$root"

mount -t proc proc proc
mount -t sysfs sysfs sys
mount -t tmpfs -o mode=755 tmpfs sys/fs/cgroup
for own in /sys/fs/cgroup/*/"$group"; do
  hierarchy=sys/fs/cgroup/$(basename "$(dirname "$own")")
  mkdir "$hierarchy"
  mount --bind "$own" "$hierarchy"
done

# These few devices, and none of the machine's disks.
mount -t tmpfs -o mode=755 tmpfs dev
mkdir dev/pts dev/shm dev/mqueue
mknod -m 666 dev/null c 1 3
mknod -m 666 dev/zero c 1 5
mknod -m 666 dev/full c 1 7
mknod -m 666 dev/random c 1 8
mknod -m 666 dev/urandom c 1 9
mknod -m 644 dev/kmsg c 1 11
mknod -m 666 dev/tty c 5 0
mount -t devpts -o newinstance,ptmxmode=0666,mode=620 devpts dev/pts
ln -s pts/ptmx dev/ptmx
ln -s /proc/self/fd dev/fd
ln -s /proc/self/fd/0 dev/stdin
ln -s /proc/self/fd/1 dev/stdout
ln -s /proc/self/fd/2 dev/stderr
mount -t tmpfs -o mode=1777 tmpfs dev/shm
mount -t mqueue mqueue dev/mqueue
mount -t tmpfs -o mode=755 tmpfs run

# The kubelet sets these, which belong to the whole machine. A node reads them as it wants them, and writes to a file.
mkdir run/sysctl
for setting in vm/overcommit_memory=1 vm/panic_on_oom=0 kernel/panic=10 kernel/panic_on_oops=1 \
  kernel/keys/root_maxkeys=1000000 kernel/keys/root_maxbytes=25000000; do
  path=${setting%=*}
  file=run/sysctl/$(basename "$path")
  echo "${setting#*=}" >"$file"
  mount --bind "$file" "proc/sys/$path"
done

while [ $# -gt 0 ]; do
  if [ -d "$1" ]; then mkdir -p "./$2"; else mkdir -p "$(dirname "./$2")" && touch "./$2"; fi
  mount -o bind,ro "$1" "./$2"
  shift 2
done

mkdir -p mnt
pivot_root . mnt
cd /
umount -l /mnt
# As systemd has it: what is mounted later is seen by containers that have the host's files.
mount --make-rshared /
echo entered
exec env -i PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin HOME=/root /usr/local/sbin/node-init \
  </dev/null >>/var/log/node-init.log 2>&1
