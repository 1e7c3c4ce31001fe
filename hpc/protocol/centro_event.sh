#!/bin/sh
# centro-event: tell Centro how the job is getting on. It never fails and never delays a job for long.
#
#   centro-event progress PERCENT [TEXT]
#   centro-event task NAME new|pending|running|complete|failed|skipped|cancelled
#                [--job ID] [--exit CODE] [--started EPOCH] [--ended EPOCH] [--log PATH] [--resource NAME=VALUE]...
#   centro-event message TEXT
#   centro-event metric NAME VALUE [UNIT]
#   centro-event artifact PATH [LABEL]
#   centro-event error TEXT
#   centro-event completed
#
# Each event is a line of events.ndjson in the run's directory, which Centro reads, with a number of its own;
# it is posted too where that is possible, so that it is seen at once. Centro keeps it once.
PATH=$PATH:/usr/bin:/bin
LC_ALL=C
export LC_ALL
umask 077
directory=${CENTRO_RUN_DIR:-}
pause=30 # seconds without a try after one that failed

over() { # TEXT: the job goes on whatever happens
  if [ -n "$1" ]; then printf 'centro-event: %s\n' "$1" >&2; fi
  exit 0
}

json() { # TEXT LONGEST: prints it as a JSON string of ASCII characters; what is not UTF-8 becomes U+FFFD
  printf '%s' "$1" | head -c "$2" | od -An -v -tu1 | awk '
    function put(point) {
      if (point == 34 || point == 92) printf "\\%c", point
      else if (point >= 32 && point < 127) printf "%c", point
      else if (point < 65536) printf "\\u%04x", point
      else printf "\\u%04x\\u%04x", 55296 + int((point - 65536) / 1024), 56320 + (point - 65536) % 1024
    }
    function lead(byte) {
      point = byte; least = 0; wanted = 0
      if (byte < 128) put(byte)
      else if (byte >= 194 && byte < 224) { point = byte - 192; least = 128; wanted = 1 }
      else if (byte >= 224 && byte < 240) { point = byte - 224; least = 2048; wanted = 2 }
      else if (byte >= 240 && byte < 245) { point = byte - 240; least = 65536; wanted = 3 }
      else put(65533)
    }
    BEGIN { printf "\"" }
    { for (i = 1; i <= NF; i++) {
        byte = $i + 0
        if (wanted && byte >= 128 && byte < 192) {
          point = point * 64 + byte - 128
          if (--wanted == 0) put(point < least || point > 1114111 || (point >= 55296 && point < 57344) ? 65533 : point)
          continue
        }
        if (wanted) put(65533)
        lead(byte)
    } }
    END { if (wanted) put(65533); printf "\"" }'
}

name() { # TEXT LONGEST: the same for a name: one line
  json "$(printf '%s' "$1" | tr '\001-\037\177' ' ')" "$2"
}

number() { # TEXT: whether it is a number as JSON writes it
  printf '%s\n' "$1" | grep -Eqx -e '-?(0|[1-9][0-9]{0,17})(\.[0-9]{1,18})?([eE][-+]?[0-9]{1,2})?'
}

whole() { # TEXT: whether it is a whole number
  printf '%s\n' "$1" | grep -Eqx -e '-?(0|[1-9][0-9]{0,8})'
}

task() { # NAME STATE OPTION...
  [ $# -ge 2 ] || over "expected: task NAME STATE"
  [ -n "$1" ] || over "the task has no name"
  case $2 in
    new|pending|running|complete|failed|skipped|cancelled) ;;
    *) over "the task's state is '$2', expected new, pending, running, complete, failed, skipped or cancelled";;
  esac
  data="{\"name\":$(name "$1" 200),\"state\":\"$2\"" resources=
  shift 2
  while [ $# -gt 0 ]; do
    [ $# -ge 2 ] || over "$1 has no value"
    case $1 in
      --job) data="$data,\"job_id\":$(name "$2" 64)";;
      --exit) whole "$2" || over "--exit is '$2', expected a whole number"; data="$data,\"exit_code\":$2";;
      --started|--ended) number "$2" || over "$1 is '$2', expected seconds since 1970"
        data="$data,\"${1#--}\":$2";;
      --log) data="$data,\"log_path\":$(name "$2" 600)";;
      --resource) case $2 in ?*=?*) ;; *) over "--resource is '$2', expected NAME=VALUE";; esac
        resources="$resources${resources:+,}$(name "${2%%=*}" 40):$(name "${2#*=}" 200)";;
      *) over "unknown option '$1'";;
    esac
    shift 2
  done
  data="$data${resources:+,\"resources\":{$resources\}}}"
}

read_arguments() { # sets "type" and "data"
  type=${1:-}
  [ $# -eq 0 ] || shift
  case $type in
    progress)
      percent=${1%%.*} percent=${percent%\%}
      whole "$percent" && [ "$percent" -ge 0 ] && [ "$percent" -le 100 ] ||
        over "the progress is '${1:-}', expected 0 to 100"
      data="{\"percent\":$percent${2:+,\"text\":$(json "$2" 300)}}";;
    task) task "$@";;
    message|error)
      [ -n "${1:-}" ] || over "expected: $type TEXT"
      data="{\"text\":$(json "$1" 2000)}";;
    metric)
      [ -n "${1:-}" ] && [ -n "${2:-}" ] || over "expected: metric NAME VALUE"
      if number "$2"; then value=$2; else value=$(json "$2" 200); fi
      data="{\"name\":$(name "$1" 100),\"value\":$value${3:+,\"unit\":$(name "$3" 20)}}";;
    artifact)
      [ -n "${1:-}" ] || over "expected: artifact PATH"
      data="{\"path\":$(name "$1" 1000)${2:+,\"label\":$(name "$2" 200)}}";;
    completed) data={};;
    *) over "'$type' is no event; expected progress, task, message, metric, artifact, error or completed";;
  esac
}

lock() { # descriptor 9, for at most about ten seconds; older programs know no -w
  flock -w 10 9 2>/dev/null && return
  tries=0
  until flock -n 9 2>/dev/null; do
    tries=$((tries + 1))
    [ "$tries" -lt 3 ] || return 1
    sleep 1
  done
}

stamp() { # sets "at": seconds since 1970, with a fraction where date knows one
  at=$(date +%s.%N)
  case $at in *[!0-9.]*|*.|'') at=$(date +%s);; esac
  case $at in *.*) now=${at%.*} at=$now.$(printf '%.6s' "${at#*.}");; *) now=$at;; esac
}

event() { # SENDER SEQ: the line
  stamp
  printf '{"sender":"%s","seq":%s,"type":"%s","at":%s,"data":%s}\n' "$1" "$2" "$type" "$at" "$data"
}

alone() { # a sender that nobody else is: for a number that cannot be had otherwise
  read -r unique < /proc/sys/kernel/random/uuid 2>/dev/null || unique=$(date +%s)-$$
  printf 'job-%s' "$unique"
}

append() { # in one piece, on a line of its own also after one that was cut
  if [ -s events.ndjson ] && [ -n "$(tail -c 1 events.ndjson)" ]; then echo; fi >> events.ndjson
  printf '%s\n' "$1" >> events.ndjson
}

keep() { # number the event and write it down; prints it
  sender= seq=0
  if lock; then
    if [ -s .events.state ]; then read -r sender seq < .events.state; fi
    case $sender in job-?*) ;; *) sender=$(alone) seq=0;; esac
    case $seq in *[!0-9]*|'') sender=$(alone) seq=0;; esac
    seq=$((seq + 1))
    # First the number, then the line: a number that is lost does no harm, one that is used twice does.
    printf '%s %s\n' "$sender" "$seq" > .events.state.tmp && mv .events.state.tmp .events.state ||
      { sender=$(alone) seq=1; }
  else
    sender=$(alone) seq=1
  fi 2>/dev/null
  line=$(event "$sender" "$seq")
  append "$line" 2>/dev/null || echo "centro-event: events.ndjson cannot be written" >&2
  printf '%s\n' "$line"
}

send() { # LINE: prints the status of the answer, 000 for none. The token and the text are in no argument.
  escaped=$(printf '%s' "$1" | sed 's/[\\"]/\\&/g')
  if command -v curl >/dev/null 2>&1; then
    printf '%s\n' "header = \"Authorization: Bearer $token\"" 'header = "Content-Type: application/json"' \
      "data-binary = \"$escaped\"" "url = \"$CENTRO_EVENTS_URL\"" |
      curl -q -s -o /dev/null -w '%{http_code}' --connect-timeout 2 -m 5 -K - 2>/dev/null
  elif command -v wget >/dev/null 2>&1 && wget --version 2>/dev/null | grep -q '^GNU'; then
    printf '%s\n' "header = Authorization: Bearer $token" "header = Content-Type: application/json" \
      > ".events.wgetrc.$$" || return
    WGETRC=.events.wgetrc.$$ wget -q -O /dev/null -t 1 -T 4 --server-response \
      --post-data="$1" "$CENTRO_EVENTS_URL" 2>&1 | sed -n 's/^ *HTTP[^ ]* \([0-9]*\).*/\1/p' | tail -n 1
    rm -f ".events.wgetrc.$$"
  fi
}

post() { # LINE
  [ -n "${CENTRO_EVENTS_URL:-}" ] && [ -r "${CENTRO_TOKEN_FILE:-}" ] || return
  now=$(date +%s) since=
  if [ -s .events.away ]; then read -r since < .events.away; fi
  case $since in *[!0-9]*|'') ;; *) [ $((now - since)) -ge "$pause" ] || return;; esac
  read -r token < "$CENTRO_TOKEN_FILE" || return
  status=$(send "$1")
  case $status in
    2??) if [ -n "$since" ]; then rm -f .events.away; fi;;
    '') ;; # no program that could: the file it is
    *) printf '%s\n' "$now" > .events.away
      if [ -z "$since" ]; then
        echo "centro-event: Centro was not reached ($status); it reads events.ndjson instead" >&2
      fi;;
  esac
}

read_arguments "$@"
[ -n "$directory" ] || over "CENTRO_RUN_DIR is not set; this is no run of Centro's"
cd "$directory" 2>/dev/null || over "$directory is not there"
line=$({ keep; } 9>.events.lock) || over ""
post "$line"
exit 0
