#!/bin/sh
# Bring the run's inputs, each compared with its SHA-256, then run its script in our place.
#
# inputs.list has three lines for each: "SHA256 url|file" (a "-" where there is no sum), where it comes from, and its
# place below inputs/. What is there already and right, as after a restart of the job, is not brought again.
cd "$CENTRO_RUN_DIR" || exit 97
umask 077
child= place= part=

stop() {
  if [ -n "$child" ]; then kill "$child" 2>/dev/null; fi
  exit "$1"
}
trap 'stop 143' TERM
trap 'stop 130' INT
trap 'stop 129' HUP

refuse() {
  printf 'centro: the input %s %s\n' "$place" "$1" >&2
  centro-event error "The input $place $1"
  if [ -n "$part" ]; then rm -f -- "$part"; fi
  exit 94
}

patiently() { # COMMAND...: waited for in the background, where a signal reaches this shell at once
  "$@" &
  child=$!
  wait "$child"; code=$?
  child=
  return "$code"
}

sum() { sha256sum < "$1" > .inputs.sum; }

is_right() { # FILE: sets found
  patiently sum "$1" || return 1
  read -r found rest < .inputs.sum
  [ "$found" = "$wanted" ]
}

from_url() {
  command -v curl > /dev/null || refuse "cannot be fetched: this machine has no curl"
  # The address comes by a file of the owner's: arguments can be read by everybody.
  printf 'url = "%s"\n' "$source" > .inputs.curl
  patiently curl --config .inputs.curl --globoff --fail --location --silent --show-error --proto =http,https \
    --proto-redir =http,https --max-redirs 10 --connect-timeout 30 --speed-limit 1 --speed-time 300 --retry 4 \
    --retry-connrefused --output "$part" 2> .inputs.error
  code=$?
  rm -f .inputs.curl
  [ "$code" -eq 0 ] || refuse "cannot be fetched: $(head -c 300 .inputs.error | tr '\n' ' ')"
}

from_file() {
  [ -f "$source" ] || refuse "is not there any more: $source"
  # A second name of the same file where that can be, for it costs no space; else a copy.
  ln -- "$source" "$part" 2> /dev/null || patiently cp -- "$source" "$part" 2> .inputs.error ||
    refuse "cannot be copied: $(head -c 300 .inputs.error | tr '\n' ' ')"
}

total=$(($(wc -l < inputs.list) / 3)) done=0
while read -r wanted kind <&3 && IFS= read -r source <&3 && IFS= read -r place <&3; do
  target=inputs/$place part=
  if [ ! -f "$target" ] || { [ "$wanted" != - ] && ! is_right "$target"; }; then
    mkdir -p -- "${target%/*}" || refuse "has no directory"
    part=$target.centro-part
    rm -f -- "$part"
    case $kind in
      url) from_url ;;
      *) from_file ;;
    esac
    if [ "$wanted" != - ] && ! is_right "$part"; then
      refuse "has another SHA-256 than the configuration says: $found"
    fi
    mv -f -- "$part" "$target" || refuse "cannot be put in its place"
  fi
  done=$((done + 1))
  centro-event message "Input $done of $total is there: $place"
done 3< inputs.list
rm -f .inputs.sum .inputs.error
case $(head -c 2 script.sh) in
  '#!') exec ./script.sh ;;
  *) exec /bin/sh ./script.sh ;;
esac
