# Look closely at runs whose jobs the scheduler says have ended or does not know, under their locks.
#
# Argument: NONCE. Standard input: lines "RUN 0x1F JOBID 0x1F ACTION 0x1F DIRECTORY"; ACTION "forget" takes back
# the recorded job id if nothing ever claimed the run, so that it can be submitted again.
# Output: "NONCE 0x1F RUN 0x1F CLAIM 0x1F STARTED 0x1F RESULT 0x1F WORD" with WORD looked, forgotten, busy or missing.
nonce=$1
unit=$(printf '\037')
umask 077

probe() {
  cd "$directory" 2>/dev/null || { printf '%s\037%s\037\037\037\037missing\n' "$nonce" "$run"; return; }
  exec 9>.lock
  flock -w 5 9 || { printf '%s\037%s\037\037\037\037busy\n' "$nonce" "$run"; return; }
  ls -a > /dev/null # makes NFS look again
  claim= started= result= word=looked
  if [ -L claim ]; then claim=$(readlink claim); fi
  if [ -s started ]; then read -r started < started; fi
  if [ -s result ]; then read -r result < result; fi
  if [ "$action" = forget ] && [ -z "$claim" ] && [ -z "$result" ]; then
    if [ -e jobid ]; then mv jobid "lost.$job"; fi
    date +%s > attempt.tmp && mv attempt.tmp attempt && word=forgotten
  fi
  printf '%s\037%s\037%s\037%s\037%s\037%s\n' "$nonce" "$run" "$claim" "$started" "$result" "$word"
}

while IFS=$unit read -r run job action directory; do
  ( probe )
done
