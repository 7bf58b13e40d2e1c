#!/bin/bash
# PID 1 of a node, in the place of systemd: runs containerd and the kubelet, starts either again when it has ended, and takes
# care of the processes that are left to it, as bash does.
set -u

# keep NAME COMMAND...: while /run/NAME.stopped is there, it stays stopped.
keep() {
  while true; do
    if [ ! -e "/run/$1.stopped" ]; then
      "${@:2}" >>"/var/log/$1.log" 2>&1 &
      echo $! >"/run/$1.pid"
      wait $!
    fi
    sleep 0.2
  done
}

keep containerd containerd &
until ctr version >/dev/null 2>&1; do sleep 0.1; done

if [ ! -e /var/lib/node-images/imported ]; then
  tar -c -C /opt/node-images oci-layout blobs -C /var/lib/node-images index.json |
    ctr --namespace k8s.io images import --local --snapshotter overlayfs - &&
    touch /var/lib/node-images/imported
fi

keep kubelet kubelet $(cat /etc/kubelet-flags) &
wait
