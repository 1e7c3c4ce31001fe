#!/bin/sh
# Take the run's results away: into the directory that the first line of results.list names, or, where that line is
# empty, into results.tar.gz. The other lines are patterns. It never changes how the run has ended.
umask 077
child=

stop() {
  if [ -n "$child" ]; then kill "$child" 2>/dev/null; fi
  exit 143
}
trap stop TERM INT HUP

fail() {
  printf 'centro: the results were not archived: %s\n' "$1" >&2
  centro-event error "The results were not archived: $1"
  rm -f "$CENTRO_RUN_DIR/results.tar.gz.part"
  exit 1
}

said() { head -c 300 "$CENTRO_RUN_DIR/.results.error" 2> /dev/null | tr '\n' ' '; }

patiently() { # COMMAND...: waited for in the background, where a signal reaches this shell at once
  "$@" 2> "$CENTRO_RUN_DIR/.results.error" &
  child=$!
  wait "$child"; code=$?
  child=
  return "$code"
}

copy() { # FILES...: beside each other's directories, as they lie here
  if command -v rsync > /dev/null; then
    patiently rsync -a --partial --relative -- "$@" "$target/"
  else
    patiently cp -a --parents -- "$@" "$target/"
  fi
}

pack() { # FILES...
  patiently tar --force-local -czf "$CENTRO_RUN_DIR/results.tar.gz.part" -- "$@" &&
    mv -f "$CENTRO_RUN_DIR/results.tar.gz.part" "$CENTRO_RUN_DIR/results.tar.gz"
}

cd "${CENTRO_WORK_DIR:-$CENTRO_RUN_DIR}" || fail "their directory is not there"
IFS=
set --
exec 3< "$CENTRO_RUN_DIR/results.list"
read -r target <&3
while read -r pattern <&3; do
  found=
  for file in $pattern; do # split at nothing, but with the files that fit
    if [ -e "./$file" ] || [ -L "./$file" ]; then
      set -- "$@" "./$file"
      found=1
    fi
  done
  if [ -z "$found" ]; then centro-event error "No result fits $pattern"; fi
done
exec 3<&-
[ $# -gt 0 ] || fail "nothing fits the patterns"
if [ -n "$target" ]; then
  mkdir -p -- "$target" 2> "$CENTRO_RUN_DIR/.results.error" || fail "$(said)"
  copy "$@" || fail "$(said)"
  centro-event message "The results are in $target"
else
  pack "$@" || fail "$(said)"
  centro-event message "The results are packed: results.tar.gz"
fi
rm -f "$CENTRO_RUN_DIR/.results.error"
