# One look at the queue, and at the markers of every watched job that is not as it was.
#
# Arguments: NONCE and the command that lists the queue (fields separated by 0x1F: job id, state, …).
# Standard input: lines "R 0x1F ROOT" that set the directory of what follows, and
# "JOBID 0x1F RUN 0x1F STATE" with the state last seen ("" for never). Output: the listing, the line
# "NONCE code", lines "M 0x1F RUN 0x1F STARTED 0x1F RESULT", and the line "NONCE end".
nonce=$1; shift
exec 4<&0
{ "$@" </dev/null 4<&-; printf '%s %s\n' "$nonce" "$?"; cat <&4; } | awk -v nonce="$nonce" '
BEGIN { FS = sprintf("%c", 31) }
!listed && index($0, nonce " ") == 1 { listed = 1; print; next }
!listed { print; state[$1] = $2; next }
$1 == "R" { root = $2; next }
($1 in state) && state[$1] == $3 { next }
{
  file = root "/" $2 "/started"; started = ""; getline started < file; close(file)
  file = root "/" $2 "/result"; result = ""; getline result < file; close(file)
  print "M" FS $2 FS started FS result
}
END { print nonce " end" }'
