#!/bin/sh
{# Every {{ … }} becomes one quoted shell word, so it stands outside of quotes. -#}
set -eu

printf 'Project %s, study %s\n' {{ config.project }} {{ config.study }}
printf 'Run %s in %s\n' "$CENTRO_RUN_ID" "$CENTRO_RUN_DIR"

printf 'sample\tread group\tread\treads\tfile\n' > files.tsv
{% for sample, files in config.dataFiles | groupby("sampleName") %}

printf '\nSample %s: %d files, %s reads\n' {{ sample }} {{ files | length }} {{ files | sum(attribute="numberOfReads") }}
{% for file in files %}
printf '  %s  %s\n' {{ file.fastqCode }} {{ file.fastqPath }}
printf '%s\t%s\t%s\t%s\t%s\n' {{ sample }} {{ file.rgid }} {{ file.fastqCode }} {{ file.numberOfReads }} {{ file.fastqPath }} >> files.tsv
{% endfor %}
{% endfor %}

printf '\nBy kind of library:\n'
{% for kind, files in config.dataFiles | groupby("glType") %}
printf '  %s: %d files\n' {{ kind }} {{ files | length }}
{% endfor %}

printf '\n%d of %d optional tasks are switched on.\n' \
  {{ config.tasks | default({}, true) | dictsort | map("last") | select | list | length }} {{ config.tasks | default({}, true) | length }}
awk 'NR > 1 { total += $(NF - 1) } END { printf "Total: %d files, %.0f reads\n", NR - 1, total }' FS='\t' files.tsv
