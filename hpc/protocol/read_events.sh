# What jobs added to their events files since they were last read.
#
# Standard input: lines "OFFSET 0x1F DIRECTORY". Output for each file that has grown, as far as the budget goes:
# "E 0x1F RUN 0x1F OFFSET 0x1F SIZE 0x1F DATA", with RUN the directory's last name, OFFSET where DATA (base64) begins and
# SIZE what the file had. A file that is shorter than OFFSET is read from its start. Each file gets an equal
# part of the budget; a part is never less than the longest line, so files may have to wait for the next look,
# and the first one is another each time.
budget=262144 least=32768
LC_ALL=C
export LC_ALL
unit=$(printf '\037')
wanted=$(cat)
{
  printf '%s\n' "$wanted"
  printf '%s\n' "$wanted" | cut -d "$unit" -f 2- | sed 's,$,/events.ndjson,' | tr '\n' '\0' |
    xargs -0 stat -c "%s$unit%n$unit%F" 2>/dev/null
} | awk -v budget="$budget" -v least="$least" '
BEGIN { FS = OFS = sprintf("%c", 31) }
NF == 2 { offset[$2 "/events.ndjson"] = $1; next }
$3 ~ /^regular/ && $1 != offset[$2] && $1 > 0 { size[++n] = $1; path[n] = $2 }
END {
  if (!n) exit
  part = int(budget / n)
  if (part < least) part = least
  srand(); first = int(rand() * n)
  for (i = 0; i < n && budget > 0; i++) {
    k = (first + i) % n + 1
    from = offset[path[k]]
    if (size[k] + 0 < from + 0) from = 0
    budget -= size[k] - from < part ? size[k] - from : part
    print from, size[k], part, path[k]
  }
}' | while IFS=$unit read -r from size part path; do
  run=${path%/events.ndjson}
  printf 'E\037%s\037%s\037%s\037' "${run##*/}" "$from" "$size"
  tail -c "+$((from + 1))" -- "$path" | head -c "$part" | base64 | tr -d '\n'
  echo
done
