# What the heads of all engines begin with; each head's own program follows in the same file.
#
# Environment: CENTRO_RUN_DIR, CENTRO_WORK_DIR (a resumed run works where its origin did). A head may set $ending,
# the signal that ends its engine, and waits for its commands by "run".
set -u
work=${CENTRO_WORK_DIR:-$CENTRO_RUN_DIR}
child= ended= ending=TERM

report() { # never in the way
  command -v centro-event > /dev/null 2>&1 || return 0
  centro-event "$@" > /dev/null 2>&1 9>&- || :
}

give_up() { # CODE TEXT
  echo "centro: $2" >&2
  report error "$2"
  exit "$1"
}

end() { ended=1; [ -z "$child" ] || kill -"$ending" "$child" 2> /dev/null; }
trap end TERM INT HUP

run() { # a command, its exit code also when a signal comes in between
  [ -z "$ended" ] || return 130
  "$@" 9>&- & child=$!
  [ -z "$ended" ] || kill -"$ending" "$child" 2> /dev/null
  wait "$child"; code=$?
  while kill -0 "$child" 2> /dev/null; do wait "$child"; code=$?; done
  child=
  return "$code"
}

enter() { # DIRECTORY TEXT: make it, go there, and be the only head that works in TEXT
  mkdir -p "$1" && cd "$1" || give_up 75 "the directory $1 cannot be used"
  exec 9> "$work/.project.lock"
  if command -v flock > /dev/null 2>&1 && ! flock -n 9; then
    give_up 75 "another run works in $2 at this moment"
  fi
}

forget_own_job() { # what the head's own job was given must not become the limits of its children
  for name in $(env | sed -n 's/^\(SLURM_[A-Z0-9_]*\)=.*/\1/p'); do
    case $name in SLURM_CONF) ;; *) unset "$name";; esac
  done
}
