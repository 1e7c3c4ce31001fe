# The head of a Snakemake run. Its result counts; what it reports is for the eye.
#
# Environment: CENTRO_RUN_ID, CENTRO_RUN_DIR, CENTRO_CONFIG, CENTRO_WORK_DIR (a resumed run works where its origin
# did), and what the job script sets: SNAKEMAKE_COMMAND, SNAKEMAKE_SNAKEFILE, SNAKEMAKE_MODE (job or cluster).
# Arguments: further ones for snakemake.
#
# Exit codes: 0 all done; 1 a job of the workflow failed; 65 the workflow could not be built; 69 no snakemake; 75 the directory is in use; 130 ended by a signal.
set -u
work=${CENTRO_WORK_DIR:-$CENTRO_RUN_DIR}
folder=$work/project
child= ended=

report() { # never in the way
  command -v centro-event > /dev/null 2>&1 || return 0
  centro-event "$@" > /dev/null 2>&1 9>&- || :
}

give_up() { # CODE TEXT
  echo "centro: $2" >&2
  report error "$2"
  exit "$1"
}

# Only an interrupt makes Snakemake end the jobs it has submitted; on TERM it waits for them.
end() { ended=1; [ -z "$child" ] || kill -INT "$child" 2> /dev/null; }
trap end TERM INT HUP

run() { # a command, its exit code also when a signal comes in between
  [ -z "$ended" ] || return 130
  "$@" 9>&- & child=$!
  [ -z "$ended" ] || kill -INT "$child" 2> /dev/null
  wait "$child"; code=$?
  while kill -0 "$child" 2> /dev/null; do wait "$child"; code=$?; done
  child=
  return "$code"
}

mkdir -p "$folder" && cd "$folder" || give_up 75 "the directory $folder cannot be used"
exec 9> "$work/.project.lock"
if command -v flock > /dev/null 2>&1 && ! flock -n 9; then
  give_up 75 "another run works in $folder at this moment"
fi
command -v "$SNAKEMAKE_COMMAND" > /dev/null 2>&1 || give_up 69 "there is no command $SNAKEMAKE_COMMAND on this system"
export PYTHONPATH="$CENTRO_RUN_DIR/engine/python${PYTHONPATH:+:$PYTHONPATH}"
if [ "$SNAKEMAKE_MODE" = cluster ]; then
  # what the head's own job was given must not become the limits of its children
  for name in $(env | sed -n 's/^\(SLURM_[A-Z0-9_]*\)=.*/\1/p'); do
    case $name in SLURM_CONF) ;; *) unset "$name";; esac
  done
fi

# The lock above is ours alone, so a lock of Snakemake's own is one that a killed head has left behind.
if [ -n "$(ls -A .snakemake/locks 2> /dev/null)" ]; then
  run "$SNAKEMAKE_COMMAND" --snakefile "$SNAKEMAKE_SNAKEFILE" --configfile "$CENTRO_CONFIG" --unlock --quiet all ||
    give_up 65 "the lock that an earlier head left behind could not be removed"
  report message "Removed the lock that an earlier head of this run left behind"
fi

rm -f "$CENTRO_RUN_DIR/engine.begun"
run "$SNAKEMAKE_COMMAND" --snakefile "$SNAKEMAKE_SNAKEFILE" --directory . --configfile "$CENTRO_CONFIG" \
  --logger centro --rerun-incomplete --nocolor "$@"; code=$?
[ -z "$ended" ] || exit 130
[ "$code" -ne 0 ] || exit 0
[ ! -e "$CENTRO_RUN_DIR/engine.begun" ] || exit 1
give_up 65 "the workflow could not be built: $(grep -v '^ *$' "$CENTRO_RUN_DIR/stderr" | tail -n 1)"
