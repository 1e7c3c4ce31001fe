# Print the queue with the paths of the jobs' files made whole, and the ends of the files of running jobs.
#
# Arguments: NONCE MOST_FILES TAIL_BYTES SQUEUE ARGUMENT..., where squeue prints the fields of slurm_queue.py,
# each ended by 0x1F, each row by 0x1E. Output: the rows, whole paths in place of the patterns; a line
# "@NONCE files"; what tail prints under its headings; a line "@NONCE end". Exit code: that of squeue.
nonce=$1 most=$2 bytes=$3; shift 3
unit=$(printf '\037') record=$(printf '\036')
newline='
'

# The pattern letters of sbatch(1), the first step of the batch script; $made is the result.
expand() {
  rest=$1 made=
  case $rest in
    *\\*) # keeps all letters from their meaning
      while :; do
        case $rest in *\\*) rest=${rest%%\\*}${rest#*\\};; *) made=$rest; return;; esac
      done;;
  esac
  while :; do
    case $rest in
      *%*) made=$made${rest%%\%*}; rest=${rest#*%};;
      *) made=$made$rest; return;;
    esac
    width=
    while :; do
      case $rest in [0-9]*) width=$width${rest%"${rest#?}"}; rest=${rest#?};; *) break;; esac
    done
    letter=${rest%"${rest#?}"}; rest=${rest#?} number=
    case $letter in
      %) word=%;;
      A) number=$array;;
      a) number=$index;;
      j|J) number=$raw;;
      n|t) number=0;;
      s) word=batch;;
      x) word=$name;;
      u) word=$user;;
      N) word=${host%%.*};;
      *) word=%$width$letter;;
    esac
    if [ -n "$number" ]; then
      word=$number
      # sbatch takes at most ten digits
      case $width in ''|???*) ;; *) word=$(printf "%0${width#0}d" "$number" 2>/dev/null) || word=$number;; esac
    fi
    made=$made$word
  done
}

# Only what tail ends with at once, and what stands in a heading of one line.
add() {
  case $1 in *"$newline"*) return;; esac
  if [ -f "$1" ] && [ -r "$1" ]; then files=$files$1$record count=$((count + 1)); fi
}

rows=$("$@"; code=$?; printf .; exit "$code") || exit
rows=${rows%.}
files= count=0
set -f
IFS=$record
for row in $rows; do
  row=${row#"$newline"}
  [ -n "$row" ] || continue
  IFS=$unit
  set -- $row
  IFS=$record
  if [ $# -ne 18 ]; then printf '%s\036\n' "$row"; continue; fi
  raw=$2 array=$3 index=$4 state=$5 name=$7 user=$8 host=${18}
  case $index in *[!0-9]*|'') index=4294967294;; esac
  out=${15} err=${16}
  # an array's default is shown as if it were no array
  if [ "$4" != N/A ] && [ "$out" = "${17}/slurm-$raw.out" ]; then out="${17}/slurm-${array}_$index.out"; fi
  if [ "$4" != N/A ] && [ "$err" = "${17}/slurm-$raw.out" ]; then err="${17}/slurm-${array}_$index.out"; fi
  case $out in *[%\\]*) expand "$out"; out=$made;; esac
  case $err in *[%\\]*) expand "$err"; err=$made;; esac
  printf '%s\037' "$1" "$2" "$3" "$4" "$5" "$6" "$7" "$8" "$9" "${10}" "${11}" "${12}" "${13}" "${14}" "$out" "$err"
  printf '\036\n'
  case $state in
    RUNNING|COMPLETING|SUSPENDED|STOPPED|SIGNALING|RESIZING|STAGE_OUT)
      [ "$count" -lt "$most" ] || continue
      add "$out"
      [ "$err" = "$out" ] || add "$err";;
  esac
done
printf '\n@%s files\n' "$nonce"
set -- $files
if [ $# -gt 0 ]; then tail -v -c "$bytes" -- "$@" 2>/dev/null; fi
printf '\n@%s end\n' "$nonce"
