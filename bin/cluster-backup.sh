#!/bin/sh
# In the place of OpenShift's script of this name: the same arguments, lines and exit codes (docs/backup.md).
exec "$(dirname -- "$(readlink -f -- "$0")")/etcdkeep" cluster-backup -- "$@"
