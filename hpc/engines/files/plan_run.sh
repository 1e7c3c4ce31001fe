# Run a plan in a directory of its own, for a bounded time and with bounded output, and remove the directory.
#
# Arguments: ROOT SECONDS BYTES WORK. Standard input: a tar archive with plan.sh and the files it needs. WORK is the
# directory of the run that would be resumed, or "". The exit code is that of plan.sh; 124 when the time ran out.
root=$1 seconds=$2 bytes=$3 work=$4
umask 077
mkdir -p "$root" && folder=$(mktemp -d "$root/plan.XXXXXX") && cd "$folder" || exit 73
trap 'cd /; rm -rf "$folder"' EXIT
trap 'exit 143' TERM INT HUP
tar -xf - || exit 73
export CENTRO_CONFIG="$folder/config.json" CENTRO_WORK_DIR="${work:-$folder}" CENTRO_RUN_DIR="$folder" CENTRO_EVENTS_URL=
ulimit -f 2097152 # blocks of 512 bytes: one GiB a file
timeout -k 2 "$seconds" /bin/sh ./plan.sh > out 2> err < /dev/null
code=$?
tail -c 4000 err >&2
head -c "$bytes" out
exit "$code"
