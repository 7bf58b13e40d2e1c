// The directory on a host that holds what a workstation has sent there and what it takes there, encryption keys among it. It
// goes when its client is done, some time after its client is gone, and with the next run where the host itself went down.

/** Each run has one of its own below here, with the id of the process that watches over it in the file `pid`. */
export const NODE_DIRECTORIES = '/var/lib/etcdkeep/nodes';

/** How long whoever has lost the connection may take to come again. */
export const PATIENCE_SECONDS = 90;

/**
 * For sh: makes the directory `$1`, and removes those that nobody watches over any more. In the command of a container Kubernetes
 * makes one dollar of two (k8s.io/kubernetes, third_party/forked/golang/expansion/expand.go), so the shell asks for its id elsewhere.
 */
export const MAKE_DIRECTORY = `
umask 077
read -r pid rest < /proc/self/stat
mkdir -p "$1" && echo "$pid" > "$1/pid" || { rm -rf "$1"; exit 1; }
for other in "\${1%/*}"/*; do
  [ -e "$other/pid" ] && ! [ -d "/proc/$(cat "$other/pid")" ] && rm -rf "$other"
done
`;

/**
 * For sh: the function that removes the directory `$1`. Whoever still runs the etcdkeep in it is told to end, and cleans up; what one
 * that was killed has left of a backup that was to stay on the host is found by the file `place` (place-on-node.ts).
 */
export const REMOVE_DIRECTORY = `
remove() {
  for round in 1 2 3 4 5; do
    running=
    for process in /proc/[0-9]*; do
      [ "$process/exe" -ef "$1/etcdkeep" ] || continue
      running=yes
      [ $round -gt 1 ] || kill "\${process#/proc/}"
    done
    [ -n "$running" ] || break
    sleep 1
  done
  [ ! -e "$1/place" ] || "$1/etcdkeep" node-agent sweep "$1/place"
  rm -rf "$1"
}
`;

/** What is said where it was not seen to go. @param what in words */
export function leftBehindWords(what: string): string {
  return `${what} was not seen to go: it ends by itself within ${PATIENCE_SECONDS} s where the host is up`;
}
