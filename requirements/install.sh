#!/usr/bin/env bash
# Create a virtual environment with the pinned packages of a lock file and this checkout (editable), with progress output.
#   requirements/install.sh FOLDER LOCK-FILE      PYTHON selects the interpreter (default: python3)
# FOLDER/.installed is the marker that make compares with the lock file.
set -euo pipefail
cd "$(dirname "$0")/.."
folder=$1 lock=$2
python=${PYTHON:-python3}

fail() { echo "$1" >&2; exit 1; }
"$python" -c 'import sys; sys.exit(sys.version_info < (3, 11))' || fail "Python 3.11 or newer is needed: apt-get install python3"
"$python" -c 'import ensurepip, venv' 2>/dev/null || fail "Python's venv is missing: apt-get install python3-venv"

echo "creating $folder"
"$python" -m venv "$folder"
pip=("$folder/bin/pip" install --disable-pip-version-check --no-deps)

# pip downloads one package at a time and its index parsing is CPU-bound, so two processes share the list. The lock file
# names each package once and is complete (--no-deps), so no package is installed twice.
halves=$(mktemp -d)
trap 'rm -rf "$halves"' EXIT
awk -v halves="$halves" '/^[a-z]/ { n++ } { print > (halves "/" n % 2) }' "$lock"
echo "installing $(grep -c '^[a-z]' "$lock") pinned packages of $lock"
half() {
  "${pip[@]}" --no-compile --require-hashes -r "$halves/$1" | grep --line-buffered -E '^ +(Downloading|Using cached)' \
    || [[ ${PIPESTATUS[0]} == 0 ]] # grep finds nothing where everything is installed already
}
half 0 & first=$!
half 1 & second=$!
failed=
wait $first || failed=yes
wait $second || failed=yes
[[ -z $failed ]] || fail "pip failed, see its messages above"
"${pip[@]}" --quiet --no-build-isolation --editable .
touch "$folder/.installed"
