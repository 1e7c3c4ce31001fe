#!/usr/bin/env bash
# The benchmarks that take minutes, one after the other on one lab of their own, which is taken down afterwards.
# It takes no arguments; each bench by itself does, e.g. `python -m bench.poll --help`.
cd "$(dirname "${BASH_SOURCE[0]}")/.." || exit 1
python=.venv/bin/python
if [ -z "${CENTRO_LAB_DIR:-}" ]; then
    values=$("$python" -m tests.lab up --owner $$) || exit 1
    eval "$values"
    trap '"$python" -m tests.lab down --dir "$CENTRO_LAB_DIR"' EXIT
fi
failed=0
for bench in poll submit web firecrest events live workbook; do
    "$python" -m "bench.$bench" || failed=1
    echo
done
exit "$failed"
