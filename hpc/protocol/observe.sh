# One look at the queue, at the markers of every watched job that is not as it was, and at what jobs reported.
#
# Arguments: NONCE, what ends each job of the list (or nothing, where a line break does) and the command that
# lists the queue (fields separated by 0x1F: job id, state, name, reason, …). Standard input: lines "R 0x1F ROOT" that set the directory of what follows, and "JOBID 0x1F
# RUN 0x1F STATE 0x1F REASON" as last seen, for a job that executes with "0x1F OFFSET": how much of its events file has
# been read. Output: the listed lines of watched jobs that changed, the line
# "NONCE code", lines "M 0x1F RUN 0x1F STARTED 0x1F RESULT" of the jobs that changed or are not
# listed, what read_events.sh says of jobs that execute or did, and the line "NONCE end". A watched job of which
# nothing is said is listed and as it was. The tasks of an array ("40_3") and the parts of a heterogeneous
# job ("40+1") count as the job itself. Needs that program in CENTRO_READ_EVENTS.
nonce=$1 end=$2; shift 2
exec 4<&0
{ cat <&4; printf '%s\n' "$nonce"; "$@" </dev/null 4<&-; printf '%s %s\n' "$nonce" "$?"; } | awk -v nonce="$nonce" -v end="$end" '
BEGIN { FS = sprintf("%c", 31) }
$0 == nonce { listing = 1; next }
!listing && $1 == "R" { root = $2; next }
!listing { run[$1] = $2; home[$1] = root; seen[$1] = $3 FS $4; if ($5 != "") offset[$1] = $5; next }
index($0, nonce " ") == 1 { if (held != "") print held; print; next }
end != "" { # a name of several lines
  if (held != "") $0 = held "\n" $0
  if (substr($0, length($0)) != end) { held = $0; next }
  held = ""
}
{ id = $1 }
!(id in run) && !(sub(/[_+][0-9]+$/, "", id) && id in run) { next }
{
  listed[id] = 1
  reason = $4 == "None" ? "" : substr($4, 1, 200)
  if (seen[id] != $2 FS reason) { print; changed[id] = 1 }
}
END {
  for (job in run) {
    if ((job in listed) && !(job in changed)) continue
    file = home[job] "/" run[job] "/started"; started = ""; getline started < file; close(file)
    file = home[job] "/" run[job] "/result"; result = ""; getline result < file; close(file)
    print "M" FS run[job] FS started FS result
    if (started != "" && !(job in offset)) offset[job] = 0
  }
  # Only now: what a job wrote before its result is there when the result is.
  fflush()
  reader = "eval \"$CENTRO_READ_EVENTS\""
  for (job in offset) { print offset[job] FS home[job] "/" run[job] | reader; asked = 1 }
  if (asked) close(reader)
  print nonce " end"
}'
