# Sourced by the commands beside it: sets $python to an interpreter that is new enough.
# A name on PATH need not run (version managers leave such shims), so each one is asked.

is_new_enough() {
    "$1" -c 'import sys; sys.exit(sys.version_info < (3, 11))' >/dev/null 2>&1
}

python=
for candidate in python3 python3.11 python3.12 python3.13 python3.14 python3.15 python; do
    if command -v "$candidate" >/dev/null 2>&1 && is_new_enough "$candidate"; then
        python=$candidate
        break
    fi
done

if [ -z "$python" ]; then
    found=$(python3 --version 2>&1) || found="no python3"
    echo "${0##*/}: needs Python 3.11 or newer on PATH, found $found" >&2
    exit 1
fi
