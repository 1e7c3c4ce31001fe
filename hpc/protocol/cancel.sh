# End jobs and what they have submitted: tombstones that no later job of a run passes, one look at the queue,
# and one command to the scheduler for all of them.
#
# Argument: NONCE. Standard input: lines "RUN 0x1F KEY 0x1F JOBID 0x1F ACTION 0x1F CHILDREN 0x1F DIRECTORY 0x1F
# WORK". CHILDREN are ids that the run has reported, with blanks between. ACTION is one of
#   cancel  a tombstone, and the end of the job and of all jobs submitted by it
#   term    a tombstone, and SIGTERM for the job's script alone, which then ends its own jobs
#   sweep   the end of all jobs submitted by it; its own is over
#   kick    the end of this one job of a run that may still go on with another
# A job's own id counts only together with its name KEY. Submitted by the run is: what lies in WORK or DIRECTORY or
# below by its working directory, what bears the mark DIRECTORY/.stdin, and CHILDREN.
# Output: "NONCE 0x1F RUN 0x1F WORD 0x1F LEFT 0x1F TEXT": WORD taken, refused or busy; LEFT jobs were found (not
# with kick and term). "taken" is no evidence of an end.
# Needs the functions of the scheduler: centro_live, centro_end, centro_term.
nonce=$1
unit=$(printf '\037')
umask 077
input=$(cat)

tombstone() { # prints RUN if its directory stayed locked
  cd "$directory" 2>/dev/null && [ -w . ] || return
  exec 9>.lock
  flock -w 5 9 || { printf '%s\n' "$run"; return; }
  : > cancel
}

busy=$(printf '%s\n' "$input" | while IFS=$unit read -r run key job action children directory work; do
  case $action in cancel|term) ( tombstone );; esac
done)

if ! live=$(centro_live 2>&1 </dev/null); then
  text=$(printf '%s' "$live" | head -c 300 | tr '\n\037' '  ')
  printf '%s\n' "$input" | while IFS=$unit read -r run rest; do
    [ -z "$run" ] || printf '%s\037%s\037refused\0370\037%s\n' "$nonce" "$run" "$text"
  done
  exit 0
fi

plan=$(printf '%s\n%s\n%s\n%s\n%s\n' "$busy" "$nonce" "$input" "$nonce" "$live" | awk -v nonce="$nonce" '
function owner(path) { # the run in whose directory it lies
  for (; path != ""; sub(/\/[^\/]*$/, "", path)) {
    if (path in at) return at[path]
    if (path !~ /\//) return ""
  }
  return ""
}
function found(run, id) {
  if (run == "" || (run SUBSEP id) in counted) return
  counted[run, id] = 1; left[run]++; print "end", id
}
BEGIN { FS = sprintf("%c", 31) }
$0 == nonce { part++; next }
part == 0 { busy[$0] = 1; next }
part == 1 {
  if ($1 == "") next
  if ($1 in busy) { print "run", $1, "busy"; next }
  key[$1] = $2; run_of[$3] = $1; action[$1] = $4; left[$1] = 0
  if ($4 == "cancel" || $4 == "sweep") {
    at[$6] = $1
    if ($7 != "") at[$7] = $1
    n = split($5, ids, " ")
    for (i = 1; i <= n; i++) child[ids[i]] = $1
  }
  next
}
{
  mark = $2; sub(/\/\.stdin$/, "", mark)
  if ($1 in run_of && key[run_of[$1]] == $4) {
    how = action[run_of[$1]]
    if (how == "term") print "term", $1
    else if (how == "kick") print "end", $1
    else found(run_of[$1], $1)
  }
  base = $1; sub(/[_+\[].*/, "", base)
  if (base in child) found(child[base], $1)
  else if (mark != "" && mark in at) found(at[mark], $1)
  else found(owner($3), $1)
}
END { for (run in left) print "run", run, "taken", left[run] }
')

ends= terms= text= word=taken
while IFS=' ' read -r kind id rest; do
  case $kind in end) ends="$ends $id";; term) terms="$terms $id";; esac
done <<END
$plan
END
# shellcheck disable=SC2086 # ids, one word each
if [ -n "$terms" ]; then said=$(centro_term $terms 2>&1 </dev/null) || { word=refused text=$said; }; fi
# shellcheck disable=SC2086
if [ -n "$ends" ]; then said=$(centro_end $ends 2>&1 </dev/null) || { word=refused text="$text $said"; }; fi
text=$(printf '%s' "$text" | head -c 300 | tr '\n\037' '  ')
printf '%s\n' "$plan" | while IFS=' ' read -r kind run state left; do
  [ "$kind" = run ] || continue
  case $state in
    busy) printf '%s\037%s\037busy\0370\037\n' "$nonce" "$run";;
    *) printf '%s\037%s\037%s\037%s\037%s\n' "$nonce" "$run" "$word" "$left" "$text";;
  esac
done
