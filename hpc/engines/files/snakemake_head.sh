# The head of a Snakemake run. Its result counts; what it reports is for the eye.
#
# Environment: CENTRO_RUN_ID, CENTRO_RUN_DIR, CENTRO_CONFIG, CENTRO_WORK_DIR (a resumed run works where its origin
# did), and what the job script sets: SNAKEMAKE_COMMAND, SNAKEMAKE_SNAKEFILE, SNAKEMAKE_MODE (job or cluster).
# Arguments: further ones for snakemake.
#
# Exit codes: 0 all done; 1 a job of the workflow failed; 65 the workflow could not be built; 69 no snakemake; 75 the
# directory is in use; 130 ended by a signal. Needs head_start.sh before it.
folder=$work/project
ending=INT # only on an interrupt it ends the jobs that it has submitted; on TERM it waits for them

enter "$folder" "$folder"
command -v "$SNAKEMAKE_COMMAND" > /dev/null 2>&1 || give_up 69 "there is no command $SNAKEMAKE_COMMAND on this system"
export PYTHONPATH="$CENTRO_RUN_DIR/engine/python${PYTHONPATH:+:$PYTHONPATH}"
[ "$SNAKEMAKE_MODE" != cluster ] || forget_own_job

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
