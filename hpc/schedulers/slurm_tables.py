"""Slurm's words: states, reasons, error texts, options. Data only, with the sources of each table."""

from __future__ import annotations

import re

from hpc.jobs import JobState, SubmitErrorPatterns

STATES: dict[str, JobState] = {
    "PENDING": JobState.QUEUED,
    "CONFIGURING": JobState.QUEUED,
    "EXPEDITING": JobState.QUEUED,
    "POWER_UP_NODE": JobState.QUEUED,
    "REQUEUED": JobState.REQUEUED,
    "REQUEUE_FED": JobState.REQUEUED,
    "REQUEUE_HOLD": JobState.HELD,
    "SPECIAL_EXIT": JobState.HELD,
    "RESV_DEL_HOLD": JobState.HELD,
    # flags that leave the job requeued and held, not ended
    "LAUNCH_FAILED": JobState.HELD,
    "GETENV_FAILED": JobState.HELD,
    "RECONFIG_FAIL": JobState.HELD,
    "RUNNING": JobState.RUNNING,
    "SIGNALING": JobState.RUNNING,
    "RESIZING": JobState.RUNNING,
    "SUSPENDED": JobState.SUSPENDED,
    "STOPPED": JobState.SUSPENDED,
    "STAGE_OUT": JobState.COMPLETING,
    "COMPLETING": JobState.COMPLETING,
    "UPDATE_DB": JobState.COMPLETING,
    "COMPLETED": JobState.COMPLETED,
    "FAILED": JobState.FAILED,
    "CANCELLED": JobState.CANCELLED,
    "TIMEOUT": JobState.TIMEOUT,
    "DEADLINE": JobState.DEADLINE,
    "OUT_OF_MEMORY": JobState.OUT_OF_MEMORY,
    "NODE_FAIL": JobState.NODE_FAIL,
    "BOOT_FAIL": JobState.BOOT_FAIL,
    "PREEMPTED": JobState.PREEMPTED,
    "REVOKED": JobState.REVOKED,
}
"""Every word of job_state_string() in Slurm's source up to 2026-08, and those its manual adds."""

CODES: dict[str, str] = {
    "PD": "PENDING",
    "CF": "CONFIGURING",
    "RQ": "REQUEUED",
    "RF": "REQUEUE_FED",
    "RH": "REQUEUE_HOLD",
    "SE": "SPECIAL_EXIT",
    "RD": "RESV_DEL_HOLD",
    "R": "RUNNING",
    "SI": "SIGNALING",
    "RS": "RESIZING",
    "S": "SUSPENDED",
    "ST": "STOPPED",
    "SO": "STAGE_OUT",
    "CG": "COMPLETING",
    "CD": "COMPLETED",
    "F": "FAILED",
    "CA": "CANCELLED",
    "TO": "TIMEOUT",
    "DL": "DEADLINE",
    "OOM": "OUT_OF_MEMORY",
    "NF": "NODE_FAIL",
    "BF": "BOOT_FAIL",
    "PR": "PREEMPTED",
    "RV": "REVOKED",
}
"""job_state_string_compact(): the short codes."""

NO_OUTPUT_YET = frozenset({"PENDING", "CONFIGURING", "REQUEUED", "REQUEUE_HOLD", "SPECIAL_EXIT"})
"""The job has no output files of its own yet; what bears their names is left from earlier."""

HELD_REASONS = frozenset(
    {
        "JobHeldUser",
        "JobHeldAdmin",
        "job requeued in held state",
        "launch failed requeued held",
    }
)
"""Reasons of a PENDING job that nothing but a release ends (measured with 22.05.8)."""

OUTAGE = re.compile(
    "Unable to contact slurm controller|Socket timed out|Zero Bytes|Transport endpoint|"
    "Connection (refused|timed out|reset)|authentication error|Munge (en|de)code failed|"
    "Unable to connect to database|Problem talking to the database|"
    "Unable to process configuration file|cannot stat file|Resource temporarily unavailable"
)
"""The scheduler could not be asked (texts measured with each daemon stopped, killed or frozen)."""

NO_ACCOUNTING = "accounting storage is disabled"

_FAILED = "Batch job submission failed: "
_LIMITS = (
    "QOSMaxSubmitJobPerUserLimit|QOSMaxSubmitJobPerAccountLimit|QOSGrpSubmitJobsLimit|"
    "AssocMaxSubmitJobLimit|AssocGrpSubmitJobsLimit|MaxSubmitPAPerQOS|MaxSubmitPUPerQOS"
)
_PASSES_LATER = (
    # The request never left this node. "(receive failure)" and time-outs are not in this list: there the
    # controller may have taken the job (measured: it had).
    r"Unable to contact slurm controller \(connect failure\)|"
    "Munge encode failed|"
    f"{_FAILED}Resource temporarily unavailable|"
    f"{_FAILED}I/O error writing script|"
    "Unable to process configuration file|" + _LIMITS
)
_NEVER = (
    f"{_FAILED}(Invalid|Requested|Job dependency problem|Job violates|Job size specification|"
    "Access.permission denied|Access denied|User not found|User's group not permitted|"
    "Pathname of a file|Node count specification|More processors requested|Memory required|"
    "Unable to allocate resources|Configured max count of jobs|Required node not available|"
    "Only partition uid|Duplicate)|"
    "nvalid partition specified|Invalid --[a-z-]+ specification|Invalid time specification|"
    "Invalid generic resource|Invalid numeric value|Memory specification can not be satisfied|"
    "unrecognized option|invalid option|requires an argument|"
    "This does not look like a batch script|Batch script is empty|"
    "Batch script contains (only whitespace|DOS line breaks)|"
    "Unable to open file|cli_filter plugin terminated|"
    # directives of people's own scripts that sbatch gives up on by itself (each measured)
    "Invalid directive found in batch script|: Unmatched |is not a valid node count|"
    "unrecognized --[a-z-]+ argument|invalid --[a-z-]+=|doesn't allow an argument|"
    "only permitted by root user|Could not open user environment file|No cluster '"
)
SUBMIT_ERRORS = SubmitErrorPatterns(rejected=f"{_PASSES_LATER}|{_NEVER}", transient=_PASSES_LATER)

_WORD = r"[A-Za-z0-9_.:@%+=/-]{1,200}"
_LIST = r"[A-Za-z0-9_.:@%+=/,&|!*()\[\]-]{1,500}"
_NUMBER = r"[0-9]{1,9}"

NATIVE_OPTIONS: dict[str, str] = {
    "constraint": _LIST,
    "contiguous": "",
    "distribution": _LIST,
    "exclude": _LIST,
    "exclusive": r"(user|mcs)?",
    "gpus-per-node": _WORD,
    "gres": _LIST,
    "hint": _WORD,
    "licenses": _LIST,
    "mem-per-cpu": r"[0-9]{1,9}[KMGT]?",
    "nice": r"[0-9]{0,9}",
    "nodelist": _LIST,
    "ntasks-per-node": _NUMBER,
    "signal": r"(B:)?[A-Z0-9]{1,10}(@[0-9]{1,6})?",
    "switches": r"[0-9]{1,4}(@[0-9:-]{1,12})?",
    "threads-per-core": _NUMBER,
    "tmp": r"[0-9]{1,9}[KMGT]?",
}
"""sbatch options that a job may ask for beyond the common ones: name -> pattern of the value.

Left out on purpose: what changes whose job it is, where its files go, its name, mail, arrays, requeueing,
and dependencies (one on an id that the controller has forgotten counts as satisfied, measured).
"""

# squeue exits 0 with an empty list for a user name that cannot be resolved (measured), so its messages
# count as well. scancel with filters calls a job "Invalid" that has ended.
FIND_FUNCTIONS = r"""
centro_named() { # NAME: ids from lines "id|name" whose name is exactly that
  while IFS='|' read -r _centro_id _centro_name; do
    [ "$_centro_name" = "$1" ] && printf '%s\n' "$_centro_id"
  done
  return 0
}
centro_find() {
  _centro_out=$(LC_ALL=C timeout 60 "${CENTRO_BIN:+$CENTRO_BIN/}squeue" -h -a -r -t all \
    -u "${CENTRO_USER:-$(id -un)}" --name="$1" -o '%i|%j' </dev/null 2>&1) && \
    case $_centro_out in *'squeue: error:'*) false;; esac || {
    printf '%s\n' "$_centro_out" >&2; return 1; }
  printf '%s\n' "$_centro_out" | centro_named "$1"
}
centro_find_past() {
  _centro_out=$(LC_ALL=C timeout 20 "${CENTRO_BIN:+$CENTRO_BIN/}sacct" -n -X -P -D --name="$1" \
    -u "${CENTRO_USER:-$(id -un)}" -S now-7days -E now+365days -o JobIDRaw,JobName </dev/null 2>&1) || {
    case $_centro_out in *'accounting storage is disabled'*) return 0;; esac
    printf '%s\n' "$_centro_out" >&2; return 1; }
  printf '%s\n' "$_centro_out" | centro_named "$1"
}
centro_cancel() {
  _centro_out=$(LC_ALL=C timeout 60 "${CENTRO_BIN:+$CENTRO_BIN/}scancel" --name="$1" \
    --user="${CENTRO_USER:-$(id -un)}" "$2" </dev/null 2>&1) && return 0
  case $_centro_out in *'Invalid job id'*|*'already complet'*) return 0;; esac
  printf '%s\n' "$_centro_out" >&2
  return 1
}
centro_live() {
  _centro_out=$(LC_ALL=C SLURM_BITSTR_LEN=0 timeout 60 "${CENTRO_BIN:+$CENTRO_BIN/}squeue" -h -a \
    -u "${CENTRO_USER:-$(id -un)}" -O "$_centro_layout" </dev/null 2>&1) && \
    case $_centro_out in *'squeue: error:'*) false;; esac || {
    printf '%s\n' "$_centro_out" >&2; return 1; }
  printf '%s\n' "$_centro_out" | awk 'BEGIN { RS = sprintf("%c", 30) }
    { sub(/^\n+/, ""); gsub(/\n/, " ") } $0 != "" { print }'
}
_centro_layout=$(printf 'JobID:\037,STDIN:\037,WorkDir:\037,Name:\036')
centro_end() { _centro_kill "$@"; }
centro_term() { _centro_kill --batch --signal=TERM "$@"; }
_centro_kill() { # scancel goes on after an id that it does not know
  _centro_out=$(LC_ALL=C timeout 60 "${CENTRO_BIN:+$CENTRO_BIN/}scancel" "$@" </dev/null 2>&1) && return 0
  _centro_out=$(printf '%s\n' "$_centro_out" | grep -v -e 'Invalid job id' -e 'already complet')
  [ -n "$_centro_out" ] || return 0
  printf '%s\n' "$_centro_out" >&2
  return 1
}
"""

COUNT_JOBS = r"""
squeue=$1; shift
"$@" || exit $?
jobs=$("$squeue" -h -a -r -t PENDING,RUNNING,COMPLETING,SUSPENDED -o '%t %P' 2>/dev/null) || exit 0
printf '\036'
[ -z "$jobs" ] || printf '%s\n' "$jobs" | awk '{ n[$0]++ } END { for (k in n) print n[k], k }'
"""
"""Runs sinfo and then counts everybody's jobs by state and partition, on the system, so that ten thousand jobs make
a few lines. Where squeue does not answer, what sinfo said stands alone."""
