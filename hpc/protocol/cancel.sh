# Cancel jobs: leave a tombstone that no later job of the run passes, then tell the scheduler.
#
# Argument: NONCE. Standard input: lines "RUN 0x1F KEY 0x1F JOBID 0x1F ACTION 0x1F DIRECTORY"; ACTION
# "kick" leaves no tombstone: it ends one job of a run that may still go on with another.
# Output: "NONCE 0x1F RUN 0x1F WORD 0x1F TEXT" with WORD taken, refused or busy. "taken" is no evidence of an end.
# Needs the function of the scheduler: centro_cancel.
nonce=$1
unit=$(printf '\037')
umask 077

cancel() {
  if [ "$action" = cancel ] && cd "$directory" 2>/dev/null && [ -w . ]; then
    exec 9>.lock
    flock -w 5 9 || { printf '%s\037%s\037busy\037\n' "$nonce" "$run"; return; }
    : > cancel
  fi
  if text=$(centro_cancel "$key" "$job" </dev/null 2>&1 9>&-); then word=taken; else word=refused; fi
  printf '%s\037%s\037%s\037%s\n' "$nonce" "$run" "$word" "$(printf '%s' "$text" | head -c 300 | tr '\n' ' ')"
}

while IFS=$unit read -r run key job action directory; do
  ( cancel )
done
