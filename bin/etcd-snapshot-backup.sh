#!/bin/sh
# The name that cluster-backup.sh had before OpenShift 4.4, and still has in the manual: the same in all.
exec "$(dirname -- "$(readlink -f -- "$0")")/etcdkeep" cluster-backup -- "$@"
