"""PBS's words: states, exit conventions, error texts, shell text. Data only, with the sources of each table.

"Measured" means OpenPBS 23.06.06. What concerns Torque is from the source of its 4.x to 6.x releases
(``pbs_job.h``, ``pbs_error_db.h``), and was not measured.
"""

from __future__ import annotations

from hpc.jobs import JobState, SubmitErrorPatterns

SEPARATOR = "|~|"
"""Between the fields of ``qstat -F dsv``; PBS puts a backslash before it where a value holds it (measured)."""

LETTERS: dict[str, JobState] = {
    "Q": JobState.QUEUED,
    "T": JobState.QUEUED,  # on its way to the execution host
    "W": JobState.QUEUED,  # for the time it was asked to start at
    "H": JobState.HELD,
    "R": JobState.RUNNING,
    "B": JobState.RUNNING,  # an array that has begun
    "S": JobState.SUSPENDED,
    "U": JobState.SUSPENDED,  # by the owner of the workstation
    "E": JobState.COMPLETING,
}
"""States of a job that has not ended (qstat(1B))."""

ENDED = frozenset("FXC")
"""F finished, X a subjob that finished, C completed (Torque)."""

EXITS: dict[int, JobState] = {
    -29: JobState.TIMEOUT,
    -28: JobState.TIMEOUT,  # processor time
    -27: JobState.OUT_OF_MEMORY,
    -26: JobState.OUT_OF_MEMORY,  # virtual memory
    -25: JobState.FAILED,  # more processors than asked for
    -24: JobState.FAILED,
    -20: JobState.NODE_FAIL,
}
"""OpenPBS: negative exit codes that say why the server ended a job (-29, -27, -20 measured). Other
negative ones mean that the job could not be started (-2: its home directory is missing, measured)."""

TORQUE_EXITS: dict[int, JobState] = {
    -12: JobState.TIMEOUT,  # processor time
    -11: JobState.TIMEOUT,
    -10: JobState.OUT_OF_MEMORY,
}

TERMINATED = "91"
"""The substate of a job that somebody deleted, whatever its exit code (measured)."""

NO_HISTORY = "not configured to maintain job history"

_PASSES_LATER = (
    "cannot connect to server|[Cc]onnection refused|Maximum number of jobs|"
    "would exceed .*limit|Maximum number of running|No permission.*try later|"
    "Server shutting down|Request invalid for state of server|pbsconf error|Out of memory"
)
_NEVER = (
    "qsub: (Unknown|Unauthorized|Queue is not enabled|Illegal attribute|[Ii]llegal -|Job violates|"
    "Bad UID|Bad GID|Job name is too long|script contains|script file|script is a directory|"
    "Array job exceeds|Access from host not allowed|Job exceeds|Invalid credential|"
    "Cannot set attribute|Resource_List|[Ii]nvalid|Not allowed|directive error|cannot open script)|"
    "invalid option|usage: qsub|Unknown Host"
)
SUBMIT_ERRORS = SubmitErrorPatterns(rejected=f"{_PASSES_LATER}|{_NEVER}", transient=_PASSES_LATER)
"""Texts of qsub with its exit codes 1 to 3, 38, 159 to 188 (measured). A qsub that hangs says nothing,
and one that loses the server after sending has texts that are not here: both are of unknown outcome."""

OUTAGE = ("cannot connect to server", "onnection refused", "Unable to authenticate connection")

NATIVE_OPTIONS: dict[str, str] = {
    "place": r"[a-z:=]{1,60}",
    "priority": r"-?[0-9]{1,4}",
    "project": r"[A-Za-z0-9_.-]{1,200}",
    "select": r"[A-Za-z0-9_.:=+-]{1,500}",
}
"""qsub options that a job may ask for beyond the common ones: name -> pattern of the value.
``select`` replaces what Centro would ask for by nodes, tasks, cpus, memory and gpus."""

FIELDS = r"""
BEGIN { OFS = sprintf("%c", 31); if (split_by != "") FS = split_by }
/^Job Id: / {
  put(); split("", v); id = $1; if (split_by == "") id = $0
  sub(/^Job Id: */, "", id)
  for (i = 2; split_by != "" && i <= NF; i++) {
    if ($(i - 1) ~ /\\$/) continue
    at = index($i, "="); name = substr($i, 1, at - 1)
    if (at > 1 && !(name in v)) v[name] = substr($i, at + 1)
  }
  next
}
split_by == "" && /^ +[A-Za-z_.]+ = / {
  at = index($0, " = "); name = substr($0, 1, at - 1); gsub(/ /, "", name)
  if (!(name in v)) v[name] = substr($0, at + 3)
}
END { put() }
"""

ROWS = (
    r"""
function put(  key, state) {
  if (id == "") return
  sub(/\..*/, "", id); sub(/@.*/, "", v["Job_Owner"]); sub(/[^:]*:/, "", v["Output_Path"])
  state = v["job_state"] "/" v["substate"] "/" v["Exit_status"] v["exit_status"]
  gsub(/[\001-\037]/, " ", v["comment"]); gsub(/[\001-\037]/, "_", v["Job_Name"])
  print id, state, v["Job_Name"], v["comment"], v["Job_Owner"], v["queue"], v["Account_Name"], \
    v["ctime"], v["stime"] v["start_time"], v["obittime"] v["comp_time"], v["mtime"], v["exec_host"], \
    v["Resource_List.walltime"], v["resources_used.walltime"], v["Resource_List.ncpus"], \
    v["run_count"], v["Output_Path"], v["Hold_Types"], "."
}
"""
    + FIELDS
)
"""awk: one line a job with the fields that ``pbs_parse`` reads, from ``qstat -F dsv`` (``split_by`` set) or
from ``qstat -f -1``. In a value that holds the separator nothing is read as a field of its own."""

LISTING = r"""
dialect=$1 bin=$2 verb=$3 rows=$4; shift 4
set -f
export LC_ALL=C
case $verb in
  rows|records) date '+%Y-%m-%dT%H:%M:%S' ;; # in the words of its own users: local times
  *) export TZ=UTC ;;
esac
ask() { # ids: their rows; ids that the server does not know are left out
  if [ "$dialect" = torque ]; then
    out=$(timeout 60 "${bin}qstat" -f -1 "$@" 2>&1 </dev/null); code=$?
    by=
  else
    out=$(timeout 60 "${bin}qstat" -E $history -f -F dsv -D '|~|' "$@" 2>&1 </dev/null); code=$?
    by='[|]~[|]'
  fi
  case $out in *'not configured to maintain job history'*)
    [ -z "$history" ] && exit 4; history=; ask "$@"; return;; esac
  if [ "$code" -ne 0 ] && [ "$code" -ne 153 ] && [ "$code" -ne 35 ]; then
    printf '%s\n' "$out" >&2; exit "$code"
  fi
  printf '%s\n' "$out" | awk -v split_by="$by" "$rows"
}
history=
select_ids() { # what qselect prints
  ids=$(timeout 60 "${bin}qselect" "$@" 2>&1 </dev/null) || { code=$?; printf '%s\n' "$ids" >&2; exit "$code"; }
  case $ids in *'not configured to maintain job history'*) exit 4;; esac
}
case $verb in
  active)
    select_ids -u "$1"
    [ -z "$ids" ] || ask $ids ;;
  history)
    history=-x; ask "$@"
    [ "$dialect" = torque ] || [ -n "$history" ] || exit 4 ;;
  rows)
    history=-t
    select_ids ${1:+-u "$1"}
    [ -z "$ids" ] || ask $ids ;;
  records)
    user=$1 past=-x history='-x -t'; shift
    [ "$dialect" != torque ] || past=
    if [ $# -eq 0 ]; then
      select_ids $past -u "$user"
      [ -n "$ids" ] || exit 0
      set -- $ids
    fi
    ask "$@"
    [ -n "$history" ] || exit 4 ;;
esac
"""
"""Lists jobs: of a user ("active USER") or by ids ("history ID…"); with the subjobs of arrays, in local times and
after a line with the local time of now, those of a user or of everybody ("rows USER"), and those that a user has
or had, or only some ("records USER ID…"). Exit code 4: the server keeps no history. Without -E ``qstat`` prints
only the first of several jobs, or fails for one that is unknown; a server that hangs would keep it waiting
for ever (all measured)."""

FIND_FUNCTIONS = r"""
centro_bin=${CENTRO_BIN:+$CENTRO_BIN/}
centro_select() {
  _centro_out=$(LC_ALL=C timeout 60 "${centro_bin}qselect" "$@" -u "${CENTRO_USER:-$(id -un)}" </dev/null 2>&1) || {
    printf '%s\n' "$_centro_out" >&2; return 1; }
  case $_centro_out in
    *'not configured to maintain job history'*) return 0 ;;
    *qselect:*) printf '%s\n' "$_centro_out" >&2; return 1 ;;
  esac
  printf '%s\n' "$_centro_out" | sed -n 's/^\([0-9][0-9]*\(\[]\)\{0,1\}\)\(\..*\)*$/\1/p'
}
centro_named() { case $1 in ''|*[!A-Za-z0-9]*) return 1 ;; esac; }
centro_find() { centro_named "$1" || return 0; centro_select -N "$1"; }
centro_find_past() { PAST centro_named "$1" || return 0; centro_select -x -N "$1"; }
centro_cancel() {
  _centro_ids=$(centro_find "$1") || return 1
  printf '%s\n' "$_centro_ids" | grep -qxF -- "$2" || return 0
  _centro_out=$(LC_ALL=C timeout 60 "${centro_bin}qdel" "$2" </dev/null 2>&1) && return 0
  case $_centro_out in
    *'Unknown Job Id'*|*'has finished'*|*'invalid for state of job'*) return 0 ;;
  esac
  printf '%s\n' "$_centro_out" >&2
  return 1
}
centro_past() { PAST centro_select -x; }
centro_show() { # AWK WORD...: what the program makes of these jobs, its answer complete
  _centro_awk=$1; shift
  _centro_out=$(TZ=UTC LC_ALL=C timeout 60 "${centro_bin}qstat" DETAILS "$@" </dev/null 2>&1); _centro_code=$?
  case $_centro_code in 0|35|153) ;; *) printf '%s\n' "$_centro_out" >&2; return 1 ;; esac
  printf '%s\n' "$_centro_out" | awk -v split_by='SPLIT' "$_centro_awk"
}
centro_live() {
  _centro_ids=$(centro_select) || return 1
  [ -z "$_centro_ids" ] || centro_show '
LIVE' $_centro_ids
}
centro_end() {
  _centro_out=$(LC_ALL=C timeout 60 "${centro_bin}qdel" "$@" </dev/null 2>&1) && return 0
  _centro_out=$(printf '%s\n' "$_centro_out" |
    grep -v -e 'Unknown Job Id' -e 'has finished' -e 'invalid for state of job')
  [ -n "$_centro_out" ] || return 0
  printf '%s\n' "$_centro_out" >&2
  return 1
}
centro_term() { centro_end "$@"; }
"""
"""``qselect -N`` compares whole names (measured). Torque has no ``-x``: PAST becomes "return 0;" there.

Every job carries the directory of its qsub as PBS_O_WORKDIR in its Variable_List (qsub(1B)), and with ``-V``
also CENTRO_RUN_DIR. DETAILS and SPLIT are the dialect's form of ``qstat``, LIVE is the program below."""

SPLIT = "\n@@centro@@\n"
QUEUES = r"""
for part in 'qstat -Q -f -F json' 'pbsnodes -a -F json' 'qstat -B -f -F json'; do
  timeout 60 "$1"$part </dev/null || exit
  printf '\n@@centro@@\n'
done
"""
"""Three JSON documents, each followed by ``SPLIT``."""

WAITING = (
    r"""
function put() {
  if (id == "" || v["job_state"] !~ /^[QHWT]/) return
  sub(/\..*/, "", id); gsub(/[\001-\037]/, " ", v["comment"])
  print id, v["job_state"], v["Priority"], v["estimated.start_time"], v["comment"], v["Hold_Types"], "."
}
"""
    + FIELDS
)
"""awk: a line for each job that has not started. PBS tells an estimate where its ``est_start_time_freq`` or
the strict order of its jobs makes it know one (pbs_job_attributes(7B))."""

VARIABLE = r"""
function variable(name,  text) { # a comma within a value has a backslash before it
  text = "," v["Variable_List"]
  if (!match(text, "," name "=([^,\\\\]|\\\\.)*")) return ""
  text = substr(text, RSTART + length(name) + 2, RLENGTH - length(name) - 2)
  gsub(/\\/, "", text)
  return text
}
"""
"""awk: one variable of the environment that a job was submitted with, in programs that end with ``FIELDS``."""

LIVE = (
    VARIABLE
    + r"""
function put() {
  if (id == "" || v["job_state"] ~ /^[CFX]/) return
  sub(/\..*/, "", id)
  print id, variable("CENTRO_RUN_DIR"), variable("PBS_O_WORKDIR"), v["Job_Name"]
}
"""
    + FIELDS
)
"""awk: the lines of ``centro_live``."""
