cd "$CENTRO_RUN_DIR" || exit 97
job=${SLURM_JOB_ID:-${PBS_JOBID:-$CENTRO_JOB_ID}}
job=${job%%.*} # PBS adds the name of its server
restarts=${SLURM_RESTART_COUNT:-${CENTRO_RESTARTS:-0}}
if [ -z "$job" ]; then echo "centro: no job id in the environment" >&2; exit 97; fi
#fault W1
# Cancelled before it started: a tombstone that every later job of this run respects.
if [ -e cancel ]; then exit 95; fi
#fault W2
# The scheduler runs a finished job again after it lost its memory: answer what is already known.
if [ -s result ]; then
  read -r code at owner < result
  if [ "$owner" = "$job" ]; then exit "$code"; fi
fi
# The one point that decides which job of this run executes. Making a symbolic link is atomic also over
# NFS, fails if it exists, and carries its content.
read -r nonce < /proc/sys/kernel/random/uuid
token=$job.$restarts.$nonce
ln -s "$token" claim 2>/dev/null
if [ "$(readlink claim)" != "$token" ]; then : > "duplicate.$token"; exit 96; fi
#fault W3
printf '%s %s %s %s\n' "$job" "$restarts" "$(date +%s)" "$(uname -n)" > started.tmp && mv started.tmp started
#fault W4
# Jobs that this one submits by sbatch bear its mark, wherever they work: an empty file instead of /dev/null as
# their standard input (squeue shows it; in patterns of sbatch "%" and "\" have a meaning of their own).
case $CENTRO_RUN_DIR in *[%\\]*) ;; *) : > .stdin; SBATCH_INPUT=$CENTRO_RUN_DIR/.stdin; export SBATCH_INPUT;; esac
terminated= child=
end() { # signal number: pass it on and remember it
  terminated=$((128 + $1))
  if [ -n "$child" ]; then kill -TERM "$child" 2>/dev/null; fi
}
trap 'end 15' TERM
trap 'end 2' INT
trap 'end 1' HUP
script=script.sh
if [ -e inputs.sh ]; then script=inputs.sh; fi # brings the inputs, then runs the script
case $(head -c 2 "$script") in
  '#!') "./$script" > stdout 2> stderr < /dev/null & ;;
  *) /bin/sh "./$script" > stdout 2> stderr < /dev/null & ;;
esac
child=$!
wait "$child"; code=$?
while kill -0 "$child" 2>/dev/null; do wait "$child"; code=$?; done
# The scheduler signals one process after the other: a script whose last command was ended may be through, even
# with 0, before the signal arrives here. The tombstone came before the signal.
if [ -z "$terminated" ] && [ -e cancel ]; then terminated=143; fi
if [ "$code" -eq 0 ] && [ -z "$terminated" ] && [ -e results.sh ]; then
  ./results.sh >> stdout 2>> stderr < /dev/null & # takes the results away; what comes of it is no outcome of the run
  child=$!
  wait "$child"
  while kill -0 "$child" 2>/dev/null; do wait "$child"; done
fi
at=$(date +%s) # takes a moment, in which a late signal still counts
if [ -n "$terminated" ]; then code=$terminated; fi
#fault W5
trap '' TERM INT HUP
printf '%s %s %s\n' "$code" "$at" "$job" > result.tmp && mv result.tmp result
#fault W6
exit "$code"
