# Look at what a run would find on this system, all parts at once, within a bounded time; a part that hangs (a dead
# filesystem) costs its own answer only.
#
# Arguments: NONCE SECONDS WORKDIR LIMIT PART... Standard input: a tar archive with "paths" (ended by NUL each) and,
# where the scheduler can try a submission, submit.args and job.sh. For each part a line "NONCE PART CODE BYTES BYTES"
# and its output and errors come back; CODE is "late" where the time ran out.
nonce=$1 seconds=$2 workdir=$3 limit=$4
shift 4
umask 077
export LC_ALL=C
folder=$(mktemp -d "${TMPDIR:-/tmp}/centro-check.XXXXXX") && cd "$folder" || exit 73
trap 'cd /; rm -rf "$folder"' EXIT
trap 'exit 143' TERM INT HUP
tar -xf - || exit 73

bounded() { timeout -k 1 "$seconds" "$@"; }

existing() {
  place=$workdir
  while [ -n "$place" ] && [ ! -d "$place" ]; do place=${place%/*}; done
  place=${place:-/}
}

paths() {
  bounded xargs -0 /bin/sh -c '
    for path do
      if [ ! -e "$path" ]; then printf m
      elif [ ! -r "$path" ]; then printf u
      elif [ -d "$path" ]; then printf d
      elif [ -s "$path" ]; then printf r
      else printf e
      fi
    done' centro-paths < paths
}

space() {
  existing
  if [ -w "$place" ] && [ -x "$place" ]; then echo open; else echo closed; fi
  printf '%s\n' "$place"
  bounded df -Pk -- "$place" | tail -n 1
  bounded df -Pi -- "$place" | tail -n 1
}

quota() {
  existing
  asked=
  if command -v lfs > /dev/null && bounded lfs quota -u "$CENTRO_USER" "$place" 2> /dev/null; then asked=1; fi
  # a function of this name hides the program
  for program in /usr/bin/quota /usr/sbin/quota /bin/quota; do
    [ ! -x "$program" ] || { bounded "$program" -wp 2>&1; asked=1; break; }
  done
  [ -n "$asked" ] || return 69
}

part() {
  ( ("$1") > "$1.out" 2> "$1.err"; echo $? > "$1.new"; mv "$1.new" "$1.code") < /dev/null > /dev/null 2>&1 &
}

#functions
for name do : > "$name.out"; : > "$name.err"; part "$name"; done
end=$(($(date +%s) + seconds + 2))
while :; do
  left=
  for name do [ -e "$name.code" ] || left=1; done
  [ -n "$left" ] && [ "$(date +%s)" -lt "$end" ] || break
  sleep 0.1 2> /dev/null || sleep 1
done
for name do
  code=late
  [ ! -e "$name.code" ] || code=$(cat "$name.code")
  out=$(($(wc -c < "$name.out"))) err=$(($(wc -c < "$name.err")))
  [ "$out" -le "$limit" ] || out=$limit
  [ "$err" -le 4000 ] || err=4000
  printf '%s %s %s %s %s\n' "$nonce" "$name" "$code" "$out" "$err"
  head -c "$out" "$name.out"
  head -c "$err" "$name.err"
done
