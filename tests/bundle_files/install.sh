#!/bin/sh
# Installs srlab into .venv beside this file, from this folder alone.
set -eu
cd "$(dirname "$0")"
PYTHON="${PYTHON:-python3}"

fail() {
    echo "$1" >&2
    exit 1
}

command -v "$PYTHON" > /dev/null ||
    fail "This bundle needs Python @PYTHON@, but no $PYTHON is here; name one: PYTHON=/path/to/python sh install.sh."
here="$("$PYTHON" -c 'import platform, sys; print("%d.%d %s %s" % (*sys.version_info[:2], platform.system(), platform.machine()))')"
test "$here" = "@PYTHON@ @SYSTEM@ @MACHINE@" ||
    fail "This bundle was made for Python @PYTHON@ @SYSTEM@ @MACHINE@, but $PYTHON is $here; make one on a machine like this, or name another: PYTHON=/path/to/python sh install.sh."
"$PYTHON" -c "import ensurepip, venv" 2> /dev/null ||
    fail "$PYTHON cannot make a virtual environment, since it comes without ensurepip; install it (on Debian and Ubuntu: apt install python3-venv)."

"$PYTHON" -m venv --clear .venv
.venv/bin/python -m pip install --disable-pip-version-check --quiet --isolated \
    --no-index --find-links wheels --require-hashes --no-deps -r requirements.txt ||
    fail "The installation stopped. If a checksum does not match, a file was damaged on its way: copy the bundle again."
echo "Installed. Open the lessons: .venv/bin/srlab lab"
