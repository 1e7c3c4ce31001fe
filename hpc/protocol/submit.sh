# Submit jobs so that each is executed at most once, whatever dies in between.
#
# Arguments: NONCE SETTLE ID_PATTERN REJECTED_PATTERN, all constant for the call.
# Standard input: for each job one line "KEY SIZE CANCEL DIRECTORY" and SIZE bytes of a tar archive
# (the run's files); then the line "END". One answer line a job: "NONCE KEY WORD TEXT".
# Needs the functions of the scheduler: centro_find, centro_find_past.
nonce=$1 settle=$2 id_pattern=$3 rejected=$4
umask 077
newline='
'

say() { printf '%s %s %s\n' "$nonce" "$key" "$*"; }

excerpt() { head -c 900 "$1" 2>/dev/null | tr '\n\t' '  '; }

record() { # remember the job id before anybody is told
  printf '%s %s\n' "$1" "$now" > jobid.tmp && mv jobid.tmp jobid
}

not_lost() { # from ids on standard input, the lowest that the scheduler has not already forgotten once
  sort -n | while IFS= read -r id; do
    [ -z "$id" ] || [ -e "lost.$id" ] || { printf '%s\n' "$id"; break; }
  done
}

look_up() { # an earlier try may have reached the scheduler: prints an answer and succeeds if that settles it
  ls -a > /dev/null
  if [ -L claim ]; then
    id=$(readlink claim); id=${id%%.*}
    record "$id"; say ID "$id" claim "$now"; return 0
  fi
  ids=$(centro_find "$key" </dev/null 2>err.find) || { say UNKNOWN "$(excerpt err.find)"; return 0; }
  id=$(printf '%s\n' "$ids" | not_lost)
  if [ -n "$id" ]; then record "$id"; say ID "$id" found "$now"; return 0; fi
  ids=$(centro_find_past "$key" </dev/null 2>/dev/null) || ids=
  id=$(printf '%s\n' "$ids" | not_lost)
  if [ -n "$id" ]; then record "$id"; say ID "$id" past "$now"; return 0; fi
  tried=; read -r tried < attempt; tried=${tried:-$now}
  if [ $((now - tried)) -lt "$settle" ]; then say WAIT $((settle - now + tried)); return 0; fi
  return 1
}

stage() { # the run's files, checked against their checksums before any job can see them
  [ -e staged ] && return 0
  tar -xf - 2>err.stage && sha256sum -c --status manifest 2>>err.stage && : > staged && return 0
  say STAGE "$(excerpt err.stage)"; return 1
}

submit() {
  mkdir -p "$directory" 2>/dev/null && cd "$directory" 2>/dev/null || {
    say STAGE "the run directory $directory cannot be created"; return; }
  [ -w . ] || { say STAGE "the run directory $directory is not writable"; return; }
  exec 9>.lock
  flock -w 10 9 || { say BUSY; return; }
  now=$(date +%s)
  #fault S1
  [ "$cancel" = 0 ] || : > cancel
  #fault S2
  if [ -s jobid ]; then read -r id at < jobid; say ID "$id" recorded "$at"; return; fi
  #fault S3
  if [ -e attempt ]; then
    if look_up; then return; fi
  fi
  #fault S4
  if [ -e cancel ]; then say CANCELLED; return; fi
  stage || return
  printf '%s\n' "$now" > attempt.tmp && mv attempt.tmp attempt || { say STAGE "no space"; return; }
  #fault S5
  . ./submit.args
  #fault S6a
  out=$("$@" </dev/null 2>err.submit 9>&-); code=$?
  #fault S6b
  if [ "$code" -eq 0 ]; then
    id=${out##*"$newline"}
    if printf '%s\n' "$id" | grep -Eqx "$id_pattern"; then
      id=${id%%[;.]*} # what may follow is the name of the cluster (Slurm) or server (PBS)
      record "$id"
      #fault S7
      say ID "$id" new "$now"
    else
      say UNKNOWN "the submit command did not print a job id"
    fi
  elif [ "$code" -eq 127 ] || grep -Eq "$rejected" err.submit; then
    rm -f attempt
    #fault S8
    say REJECT "$(excerpt err.submit)"
  else
    say UNKNOWN "$(excerpt err.submit)"
  fi
}

while IFS=' ' read -r key size cancel directory; do
  if [ "$key" = END ]; then break; fi
  head -c "$size" | { ( submit ); cat > /dev/null; }
done
