#!/bin/sh
# Prints a Python that can run konterfei: 3.11 or newer, with the venv module. Says what is missing otherwise.
# PYTHON, when set, is the only one tried.
set -u

old="" ; bare=""
if [ -n "${PYTHON:-}" ]; then set -- "$PYTHON"; else set -- python3.11 python3.12 python3.13 python3 python; fi
for name in "$@"; do
    command -v "$name" >/dev/null 2>&1 || continue
    version=$("$name" -c 'import sys; print("%d.%d" % sys.version_info[:2])' 2>/dev/null) || continue
    if ! "$name" -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null; then
        old="$old $name($version)"
    elif ! "$name" -c 'import venv, ensurepip' 2>/dev/null; then
        bare="$bare $name($version)"
    else
        command -v "$name"
        exit 0
    fi
done

{
    echo "konterfei needs Python 3.11 or newer with the venv module, and none was found${PYTHON:+ as PYTHON=$PYTHON}."
    [ -z "$old" ] || echo "  too old:$old"
    [ -z "$bare" ] || echo "  without venv:$bare    (Debian, Ubuntu: apt install python3-venv)"
    echo "  Install one (for example: apt install python3 python3-venv), or name one: make PYTHON=/path/to/python3.12 ..."
} >&2
exit 2
