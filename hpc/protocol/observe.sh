# One look at the queue, and at the markers of every watched job that is not as it was.
#
# Arguments: NONCE and the command that lists the queue (fields separated by 0x1F: job id, state, name,
# reason, …). Standard input: lines "R 0x1F ROOT" that set the directory of what follows, and "JOBID 0x1F
# RUN 0x1F STATE 0x1F REASON" as last seen. Output: the listed lines of watched jobs that changed, the line
# "NONCE code", lines "M 0x1F RUN 0x1F STARTED 0x1F RESULT" of the jobs that changed or are not
# listed, and the line "NONCE end". A watched job of which nothing is said is listed and as it was.
nonce=$1; shift
exec 4<&0
{ cat <&4; printf '%s\n' "$nonce"; "$@" </dev/null 4<&-; printf '%s %s\n' "$nonce" "$?"; } | awk -v nonce="$nonce" '
BEGIN { FS = sprintf("%c", 31) }
$0 == nonce { listing = 1; next }
!listing && $1 == "R" { root = $2; next }
!listing { run[$1] = $2; home[$1] = root; seen[$1] = $3 FS $4; next }
index($0, nonce " ") == 1 { print; next }
!($1 in run) { next }
{
  listed[$1] = 1
  reason = $4 == "None" ? "" : substr($4, 1, 200)
  if (seen[$1] != $2 FS reason) { print; changed[$1] = 1 }
}
END {
  for (job in run) {
    if ((job in listed) && !(job in changed)) continue
    file = home[job] "/" run[job] "/started"; started = ""; getline started < file; close(file)
    file = home[job] "/" run[job] "/result"; result = ""; getline result < file; close(file)
    print "M" FS run[job] FS started FS result
  }
  print nonce " end"
}'
