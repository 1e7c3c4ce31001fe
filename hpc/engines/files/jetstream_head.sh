# The head of a Jetstream run: stage in, run, archive. Its results count; what it reports is for the eye.
#
# Environment: CENTRO_RUN_ID, CENTRO_RUN_DIR, CENTRO_CONFIG, CENTRO_WORK_DIR (a resumed run works where its origin
# did), and what the job script sets: JETSTREAM_COMMAND, JETSTREAM_PIPELINE (name@version), JETSTREAM_BACKEND,
# CENTRO_RESUME (1 or 0), CENTRO_STAGE_IN (shell text), CENTRO_ARCHIVE (a directory), CENTRO_RETRIEVE (1 or 0).
#
# Exit codes: 0 all done; 1 a task failed; 65 the pipeline could not be built from the configuration; 66 stage in
# failed; 69 no jetstream; 74 archiving failed; 75 the project is in use; 130 ended by a signal. Needs
# head_start.sh before it.
project=$work/project
engine=$CENTRO_RUN_DIR/engine

stage() { # NAME CODE TEXT COMMAND…: a stage with its own state
  name=$1 failure=$2 text=$3
  shift 3
  report task "$name" running
  run "$@"; code=$?
  if [ "$code" -eq 0 ]; then report task "$name" complete; return; fi
  if [ -n "$ended" ]; then report task "$name" cancelled; exit 130; fi
  report task "$name" failed --exit "$code"
  give_up "$failure" "$text (exit code $code)"
}

same_tree() { # FROM TO: whether all files of FROM are in TO, with the same content
  (cd "$1" && find . -type f ! -path ./jetstream/pid.lock -exec cksum {} +) | sort > "$CENTRO_RUN_DIR/archive.from"
  (cd "$2" && sed 's/^[0-9]* [0-9]* //' "$CENTRO_RUN_DIR/archive.from" | tr '\n' '\000' | xargs -0 -r cksum) |
    sort | cmp -s - "$CENTRO_RUN_DIR/archive.from"
}

copy_tree() { # FROM TO
  mkdir -p "$2" || return
  if command -v rsync > /dev/null 2>&1; then
    rsync -a --partial --exclude /jetstream/pid.lock "$1/" "$2/" || return
  else
    cp -Rp "$1/." "$2/" || return
    rm -f "$2/jetstream/pid.lock"
  fi
  same_tree "$1" "$2" || { echo "centro: $2 differs from $1 after copying" >&2; return 1; }
}

retrieve() { if [ -d "$CENTRO_ARCHIVE" ] && [ ! -d "$project" ]; then copy_tree "$CENTRO_ARCHIVE" "$project"; fi; }

owner_is_gone() { # whether the process that a lock file names is surely not there any more
  host=$(tr ',{}' '\n\n\n' < "$1" | sed -n "s/^ *['\"]*hostname['\"]*: *['\"]*\([^'\" ]*\).*/\1/p" | head -n 1)
  pid=$(tr ',{}' '\n\n\n' < "$1" | sed -n "s/^ *['\"]*pid['\"]*: *['\"]*\([0-9]*\).*/\1/p" | head -n 1)
  [ -n "$pid" ] || return 0 # it names nobody
  if [ "$host" = "$(uname -n)" ] || [ "$host" = "$(hostname 2> /dev/null)" ]; then
    # a number that went to another program is not the owner
    [ ! -d "/proc/$pid" ] || ! tr '\000' ' ' < "/proc/$pid/cmdline" 2> /dev/null | grep -q jetstream
    return
  fi
  # the owner was on another machine: its job tells
  read -r job < "$work/head.job" 2> /dev/null || return 0
  [ "$job" != "$CENTRO_HEAD_JOB" ] || return 0
  if command -v squeue > /dev/null 2>&1; then
    found=$(squeue -h -t all -j "$job" -o %T 2>&1) || case $found in *"Invalid job id"*) return 0;; *) return 1;; esac
    case $found in *RUNNING*|*SUSPENDED*|*COMPLETING*) return 1;; esac
    return 0
  fi
  if command -v qstat > /dev/null 2>&1; then
    found=$(qstat "$job" 2>&1) || case $found in *"Unknown Job Id"*|*"has finished"*) return 0;; esac
  fi
  return 1
}

# one head at a time in one project, whatever Jetstream's own lock is worth there
enter "$work" "$project"
CENTRO_HEAD_JOB=${SLURM_JOB_ID:-${PBS_JOBID:-$$}}
if [ -e "$project/jetstream/pid.lock" ]; then
  if owner_is_gone "$project/jetstream/pid.lock"; then
    rm -f "$project/jetstream/pid.lock"
    report message "Removed the lock that an earlier head of this project left behind"
  else
    give_up 75 "the project is locked by another Jetstream: $(tr '\n' ' ' < "$project/jetstream/pid.lock")"
  fi
fi
printf '%s\n' "$CENTRO_HEAD_JOB" > "$work/head.job"

command -v "$JETSTREAM_COMMAND" > /dev/null 2>&1 || give_up 69 "there is no command $JETSTREAM_COMMAND on this system"
export JETSTREAMDIR="$engine/jetstream" PYTHONPATH="$engine/python${PYTHONPATH:+:$PYTHONPATH}"
[ "$JETSTREAM_BACKEND" != centro_slurm ] || forget_own_job

if [ "$CENTRO_RESUME" = 0 ]; then
  if [ "$CENTRO_RETRIEVE" = 1 ]; then
    stage "stage in: archive" 66 "the archived project could not be brought back" retrieve
  fi
  if [ -n "$CENTRO_STAGE_IN" ]; then
    stage "stage in" 66 "staging in failed" /bin/sh -c "cd \"\$CENTRO_WORK_DIR\" && { $CENTRO_STAGE_IN
}"
  fi
fi

if [ ! -e "$project/jetstream/project.yaml" ]; then
  run "$JETSTREAM_COMMAND" init "$project" -C "$CENTRO_CONFIG" --project-id "$CENTRO_RUN_ID"; code=$?
  [ -z "$ended" ] || exit 130
  [ "$code" -eq 0 ] || give_up 65 "jetstream init ended with exit code $code: $(tail -n 1 "$CENTRO_RUN_DIR/stderr")"
fi

rm -f "$CENTRO_RUN_DIR/engine.begun"
run "$JETSTREAM_COMMAND" pipelines "$JETSTREAM_PIPELINE" -p "$project" \
  --backend "$JETSTREAM_BACKEND" --reset-method retry; code=$?
[ -z "$ended" ] || exit 130
if [ "$code" -ne 0 ]; then
  [ ! -e "$CENTRO_RUN_DIR/engine.begun" ] || exit "$code"
  give_up 65 "the pipeline could not be built: $(tail -n 1 "$CENTRO_RUN_DIR/stderr")"
fi

if [ -n "$CENTRO_ARCHIVE" ]; then
  stage archive 74 "the results could not be archived in $CENTRO_ARCHIVE" copy_tree "$project" "$CENTRO_ARCHIVE"
  report message "Results archived in $CENTRO_ARCHIVE"
fi
exit 0
