# Submit one job script as its owner wrote it, or find the job of a submission whose outcome is unknown.
#
# Arguments: NONCE VERB TAG DIRECTORY FILE, and for the verbs "content" and "file" PATIENCE SIZE
# REJECTED_PATTERN and the words of the submit command; for "find" SINCE (epoch). DIRECTORY is absolute or relative to
# the home. With "content" the directory is made and FILE written from SIZE bytes of standard input, which
# the line NONCE follows; with "file" it must be there. The words /NONCE.W and /NONCE.S stand for the directory and the script,
# what begins with /NONCE.W for a path in it, and /NONCE.P with what follows for a longer PATH.
# Output: sections that begin with a line "NONCE NAME ARGUMENTS", the last one "NONCE END".
# Needs the functions of the scheduler: centro_tagged, centro_details.
nonce=$1 verb=$2 tag=$3 directory=$4 file=$5
shift 5
# Each process costs a millisecond: what the shell can do itself it does.
# For the functions of the scheduler, but not for jobs:
bin=${CENTRO_BIN-} user=${CENTRO_USER-}
unset CENTRO_BIN CENTRO_USER
CENTRO_BIN=$bin CENTRO_USER=$user
newline='
'

say() { printf '%s %s\n' "$nonce" "$*"; }

over() { # WORD TEXT: the one answer
  say "$1"; printf '%s\n' "$2" | head -c 4000; printf '\n'; say END
  exit 0
}

go_there() { # into the directory, by its real name where ".." could mean another one
  cd -- "${HOME:?}" || return 1
  case $directory in *..*) cd -P -- "$directory";; *) cd -- "$directory";; esac 2>/dev/null
}

describe() { # ID: what there is to know about the job
  say AT; printf '%s\n' "$PWD"
  say DETAILS; centro_details "$1" </dev/null 2>&1; printf '\n'
  if [ "$verb" = file ]; then say SCRIPT; head -c 262144 -- "./$file"; printf '\n'; fi
  say END
}

stage() { # write the script whole; nobody else knows of its directory yet
  if ! { cd -- "${HOME:?}" && mkdir -p -m 700 -- "$directory" && cd -- "$directory" &&
    head -c "$size" > "./$file"; }; then over STAGE "the script cannot be written in $directory"; fi
  IFS= read -r mark
  [ "$mark" = "$nonce" ] || over STAGE "the script did not arrive whole"
}

check() { # the file that is there already
  case $directory in /*) place=$directory;; *) place=$HOME/$directory;; esac
  if ! go_there; then
    if [ -d "$place" ]; then over FORBIDDEN "the directory may not be entered"; fi
    over MISSING "no such file or directory"
  fi
  [ -e "./$file" ] || over MISSING "no such file or directory"
  [ ! -d "./$file" ] || over DIRECTORY "is a directory"
  [ -r "./$file" ] || over FORBIDDEN "permission denied"
}

submit() { # PATIENCE SIZE REJECTED WORD…
  patience=$1 size=$2 rejected=$3
  shift 3
  if [ "$verb" = content ]; then
    stage 2>&1
  else
    check
  fi
  for word; do
    shift
    case $word in
      "/$nonce.S") word=$PWD/$file;;
      "/$nonce.W"*) word=$PWD${word#"/$nonce.W"};;
      "/$nonce.P"*) word=PATH=$PATH:${word#"/$nonce.P"};;
    esac
    set -- "$@" "$word"
  done
  now=$(date +%s)
  #fault N1
  out=$(timeout -k 5 "$patience" "$@" </dev/null 2>&1); code=$?
  #fault N2
  if [ "$code" -eq 0 ]; then
    id=${out##*"$newline"}
    id=${id%%;*}
    say ID "$id" "$now"; describe "$id"
    exit 0
  fi
  if [ "$code" -eq 126 ] || [ "$code" -eq 127 ] || printf '%s\n' "$out" | grep -Eq "$rejected"; then
    over REJECT "$out"
  fi
  over UNKNOWN "${out:-the submit command ended with code $code}"
}

find_job() { # SINCE
  go_there
  ids=$(centro_tagged "$tag" "$PWD" "$file" "$1" 2>&1 </dev/null) || over UNKNOWN "$ids"
  id=$(printf '%s\n' "$ids" | sort -n | head -n 1)
  [ -n "$id" ] || over NONE ""
  say ID "$id" "$1"; describe "$id"
}

if [ "$verb" = find ]; then find_job "$@"; else submit "$@"; fi
