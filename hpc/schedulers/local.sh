# Batch jobs as plain processes of this user, without a daemon.
#
# Arguments: TEXT VERB SPOOL …; TEXT is this program, or "" where it runs from the copy in SPOOL.
# Each job is a directory SPOOL/ID (after its end and a while SPOOL/past/ID) with the files
#   name        the job's name
#   job         "submit-epoch walltime-seconds cpus memory", work directory, output file (a line each)
#   script      a copy of the job script
#   supervisor  identity of the process that waits for a slot, starts the job and records its end
#   leader      identity of the job's first process and its start epoch (a line each)
#   times       what "times" says at the end: the second line is of the job (user and system time)
#   end         "STATE exit-code epoch"
# An identity is "boot-id pid start-ticks": no other process has it, also after a reboot.
# Files are written under another name and renamed, and a directory appears only when it is complete,
# so that a kill at any point leaves a state that "rows" reads right.
text=$1 verb=$2 spool=${3:-${HOME:?}/.local/state/centro/jobs}
shift 3
mask=$(umask)
umask 077
program=$spool/.program
read -r boot < /proc/sys/kernel/random/boot_id

refuse() { printf 'centro-local: refused: %s\n' "$*" >&2; exit 1; }

put() { # FILE LINE…
  file=$1; shift
  printf '%s\n' "$@" > "$file.tmp" && mv "$file.tmp" "$file"
}

identify() { # PID: sets "identity"; fails if there is no such process or it has ended
  identity=
  read -r stat 2>/dev/null < "/proc/$1/stat" || return 1
  pid=$1 stat=${stat##*) }
  # shellcheck disable=SC2086 # the fields of the line
  set -- $stat
  case $1 in Z|X) return 1;; esac
  shift 19
  identity="$boot $pid $1"
}

alive() { # IDENTITY: sets "pid"
  [ -n "$1" ] || return 1
  wanted=$1
  pid=${1#* }; pid=${pid% *}
  identify "$pid" && [ "$identity" = "$wanted" ]
}

later() { # SECONDS IDENTITY SIGNAL TARGET: a signal, if the process with the identity is still there
  setsid /bin/sh "$program" "" later "$spool" "$@" </dev/null >/dev/null 2>&1 6>&- 8>&- &
}

signal_group() { # SIGNAL LEADER; just after its start a leader has no group of its own yet
  kill -s "$1" -- "-$2" 2>/dev/null || kill -s "$1" "$2" 2>/dev/null
}

# ---------------------------------------------------------------- submit

next_id() { # sets "id"; never one that was used before
  exec 7>"$spool/.lock"
  flock -w 30 7 || refuse "busy: the spool directory stayed locked for 30 s"
  last=0
  if [ -s "$spool/.last" ]; then
    read -r last < "$spool/.last"
  else
    for old in "$spool"/[0-9]* "$spool"/past/[0-9]*; do
      old=${old##*/}
      case $old in *[!0-9]*) ;; *) [ "$old" -le "$last" ] || last=$old;; esac
    done
  fi
  id=$((last + 1))
  put "$spool/.last" "$id" || refuse "no space: $spool cannot be written"
  exec 7>&-
}

submit() { # SLOTS WALLTIME CPUS MEMORY NAME WORKDIR STDOUT SCRIPT
  slots=$1 walltime=$2 cpus=$3 memory=$4 name=$5 workdir=$6 stdout=$7 script=$8
  [ -d "$workdir" ] || refuse "the working directory $workdir does not exist"
  [ -r "$script" ] || refuse "the script $script cannot be read"
  case $(head -c 2 "$script") in '#!') ;; *) refuse "the script does not start with #!";; esac
  mkdir -p "$spool/past" 2>/dev/null || refuse "the spool directory $spool cannot be made"
  next_id
  new=$spool/.new.$id
  mkdir "$new" && cp "$script" "$new/script" && chmod 700 "$new/script" &&
    printf '%s\n' "$name" > "$new/name" &&
    printf '%s\n' "$(date +%s) $walltime $cpus $memory" "$workdir" "$stdout" > "$new/job" &&
    printf '%s\n' "$text" > "$program.$id" && mv "$program.$id" "$program" ||
    { rm -rf "$new" "$program.$id"; refuse "no space: $spool cannot be written"; }
  # The supervisor prints the id once the job is in place, then lets go of this pipe.
  said=$(setsid /bin/sh "$program" "" supervise "$spool" "$new" "$id" "$slots" "$mask" \
    </dev/null 2>/dev/null 9>&- &)
  if [ "$said" != "$id" ]; then
    echo "centro-local: the supervisor ended early; whether the job exists is unknown" >&2
    exit 2
  fi
  printf '%s\n' "$id"
}

# ---------------------------------------------------------------- the supervisor of one job

stop_job() { # TERM, five seconds later KILL
  [ -n "$leader" ] || return
  signal_group TERM "$leader"
  if [ -z "$killer" ]; then
    later 5 "$own" KILL "-$leader"
    killer=$!
  fi
}

finish() { # STATE EXIT_CODE
  [ -z "$leader" ] || times > "$dir/times"
  put "$dir/end" "$1 $2 $(date +%s)"
  for group in $timer $killer; do signal_group KILL "$group"; done
  exec 6>&- 8>&-
  tidy
  exit 0
}

wait_for_slot() {
  # Only the head of the queue looks for a slot; the others sleep in flock(2). "wait" lets traps run.
  exec 6>"$spool/.turn"
  flock 6 & waiter=$!
  wait "$waiter"
  [ -z "$cancelled" ] || { kill "$waiter" 2>/dev/null; finish CANCELLED 0; }
  while :; do
    slot=1
    while [ "$slot" -le "$slots" ]; do
      exec 8>"$spool/.slot.$slot"
      flock -n 8 && break 2
      slot=$((slot + 1))
    done
    sleep 0.2 & wait "$!"
    [ -z "$cancelled" ] || finish CANCELLED 0
  done
  exec 6>&-
  [ -z "$cancelled" ] || finish CANCELLED 0
}

supervise() { # NEW ID SLOTS UMASK
  new=$1 id=$2 slots=$3 jobmask=$4 dir=$spool/$2
  cancelled='' timedout='' leader='' timer='' killer=''
  trap 'cancelled=1; stop_job' TERM
  trap 'timedout=1; stop_job' USR1
  identify "$$"; own=$identity
  put "$new/supervisor" "$own" && mv -T "$new" "$dir" || exit 1
  ( printf '%s\n' "$id" ) # whoever submitted may be gone: the broken pipe ends this subshell only
  exec >/dev/null
  { read -r _ walltime cpus memory; IFS= read -r workdir; IFS= read -r stdout; } < "$dir/job"
  wait_for_slot
  case $stdout in *%j*) stdout=${stdout%%%j*}$id${stdout#*%j};; esac
  cd "$workdir" 2>/dev/null || finish LAUNCH_FAILED 1
  (umask "$jobmask"; true > "$stdout") 2>/dev/null || finish LAUNCH_FAILED 1
  CENTRO_JOB_ID=$id CENTRO_RESTARTS=0 CENTRO_CPUS=$cpus CENTRO_MEMORY_MB=$memory \
    setsid /bin/sh "$program" "" lead "$spool" "$dir" "$jobmask" \
    </dev/null >"$stdout" 2>&1 6>&- 8>&- & leader=$!
  if [ "$walltime" -gt 0 ]; then later "$walltime" "$own" USR1 "$$"; timer=$!; fi
  [ -z "$cancelled$timedout" ] || stop_job
  while :; do # a signal ends "wait" early
    wait "$leader"; code=$?
    kill -0 "$leader" 2>/dev/null || break
  done
  signal_group KILL "$leader" # what the job left behind
  if [ -n "$cancelled" ]; then finish CANCELLED "$code"
  elif [ -n "$timedout" ]; then finish TIMEOUT "$code"
  elif [ "$code" -eq 0 ]; then finish COMPLETED 0
  else finish FAILED "$code"; fi
}

lead() { # DIR UMASK: become the job
  identify "$$"
  put "$1/leader" "$identity" "$(date +%s)"
  umask "$2"
  exec "$1/script"
}

tidy() { # write down vanished jobs, move what ended a while ago out of the way, forget what is old
  exec 7>"$spool/.tidy"
  flock -n 7 || return
  find "$spool" -mindepth 1 -maxdepth 1 -name '[0-9]*' -mmin +5 | while IFS= read -r lost; do
    [ ! -e "$lost/end" ] || continue
    own='' group=''
    { read -r own < "$lost/supervisor"; read -r group < "$lost/leader"; } 2>/dev/null
    alive "$own" || alive "$group" || put "$lost/end" "NODE_FAIL - $(date +%s)"
  done
  find "$spool" -mindepth 2 -maxdepth 2 -path "$spool/[0-9]*/end" -mmin +6 | while IFS= read -r file; do
    mv -T "${file%/end}" "$spool/past/$(basename "${file%/end}")"
  done
  find "$spool/past" -mindepth 1 -maxdepth 1 -mtime +30 -exec rm -rf {} +
  find "$spool" -mindepth 1 -maxdepth 1 -name '.new.*' -mmin +60 -exec rm -rf {} +
  exec 7>&-
}

# ---------------------------------------------------------------- list, history, cancel

rows() { # SINCE DIRECTORY…: a line for each job that has not ended before the epoch SINCE
  since=$1; shift
  awk -v boot="$boot" -v since="$since" -v user="${CENTRO_USER:-$(id -un)}" '
  function first(file,   line) {
    line = ""
    if ((getline line < file) < 0) return ""
    close(file)
    return line
  }
  function alive(identity,   part, stat, field) {
    split(identity, part, " ")
    if (part[1] != boot) return 0
    stat = first("/proc/" part[2] "/stat")
    if (!sub(/^.*\) /, "", stat)) return 0
    split(stat, field, " ")
    return field[1] != "Z" && field[1] != "X" && field[20] == part[3]
  }
  function state(dir, leader,   found) {
    found = first(dir "/end")
    if (found != "") return found
    if (leader != "" && alive(leader)) return "RUNNING"
    if (alive(first(dir "/supervisor"))) return leader == "" ? "PENDING" : "RUNNING"
    found = first(dir "/end") # it may have ended while we looked
    return found != "" ? found : "NODE_FAIL"
  }
  function spent(dir,   line, part, clock, i, sum) { # hundredths of a second
    line = ""; sum = 0
    for (i = 1; i <= 2; i++) if ((getline line < (dir "/times")) <= 0) line = ""
    close(dir "/times")
    if (split(line, part, " ") != 2) return ""
    for (i = 1; i <= 2; i++) {
      split(part[i], clock, /[ms.,]/)
      sum += (clock[1] * 60 + clock[2]) * 100 + substr(clock[3] "00", 1, 2)
    }
    return sum
  }
  function row(dir,   id, job, workdir, stdout, leader, start, part, found) {
    id = dir; sub(/^.*\//, "", id)
    if (id !~ /^[0-9]+$/ || (getline job < (dir "/job")) <= 0) return
    getline workdir < (dir "/job"); getline stdout < (dir "/job"); close(dir "/job")
    leader = ""; start = ""
    if ((getline leader < (dir "/leader")) > 0) {
      getline start < (dir "/leader"); close(dir "/leader")
    }
    split(state(dir, leader), found, " ")
    if (found[3] != "" && found[3] < since) return
    split(job, part, " ")
    print id, found[1], first(dir "/name"), user, found[1] == "PENDING" ? "Resources" : "",
      part[1], start, found[3], found[2], part[2], part[3], workdir, spent(dir), "."
  }
  BEGIN {
    OFS = sprintf("%c", 31)
    for (i = 1; i < ARGC; i++) row(ARGV[i])
    exit
  }' "$@"
}

list() {
  rows "$(($(date +%s) - 300))" "$spool"/[0-9]*
}

history() { # ID…
  for id; do
    shift
    if [ -d "$spool/$id" ]; then set -- "$@" "$spool/$id"; else set -- "$@" "$spool/past/$id"; fi
  done
  rows 0 "$@"
}

cancel() { # NAME ID…; an empty NAME stands for any
  name=$1; shift
  for id; do
    dir=$spool/$id called='' own='' group=''
    { read -r called < "$dir/name"; read -r own < "$dir/supervisor"; } 2>/dev/null
    [ -n "$called" ] && [ ! -e "$dir/end" ] || continue
    [ -z "$name" ] || [ "$name" = "$called" ] || continue
    if alive "$own"; then
      kill -s TERM "$pid" 2>/dev/null
    elif { read -r group < "$dir/leader"; } 2>/dev/null && alive "$group"; then
      signal_group TERM "$pid"
      later 5 "$group" KILL "-$pid"
    fi
  done
  return 0
}

end() { # ID…: as cancel, and a line "ID WORD" with WORD taken, over or unknown
  for id; do
    if [ -e "$spool/$id/end" ] || [ -d "$spool/past/$id" ]; then word=over
    elif [ -d "$spool/$id" ]; then word=taken; cancel '' "$id"
    else word=unknown
    fi
    printf '%s %s\n' "$id" "$word"
  done
}

find_name() { # DIRECTORY NAME: ids of the jobs below it that are called so
  for file in "$1"/[0-9]*/name; do
    called=
    { IFS= read -r called < "$file"; } 2>/dev/null
    if [ "$called" = "$2" ]; then file=${file%/name}; printf '%s\n' "${file##*/}"; fi
  done
  return 0
}

case $verb in
  submit) submit "$@";;
  supervise) supervise "$@";;
  lead) lead "$@";;
  later) sleep "$1"; if alive "$2"; then kill -s "$3" -- "$4"; fi;;
  list) list;;
  history) history "$@";;
  since) rows "$1" "$spool"/[0-9]* "$spool"/past/[0-9]*;;
  cancel) cancel "$@";;
  end) end "$@";;
  find) find_name "$spool" "$1";;
  find-past) find_name "$spool/past" "$1";;
  load) # SLOTS: "slots running"
    running=$(list | awk -F "$(printf '\037')" '$2 == "RUNNING" { n++ } END { print n + 0 }')
    printf '%s %s %s\n' "$1" "$running" "$(uname -n)";;
  *) echo "centro-local: unknown verb $verb" >&2; exit 2;;
esac
