#!/usr/bin/env bash
# try_wheel.sh PYTHON WHEEL: install it where the checkout is not, and use it as a new user would.
set -euo pipefail
wheel=$(realpath "$2")
there=$(mktemp -d)
trap 'rm -rf "$there"' EXIT
cd "$there"
"$1" -m venv venv
venv/bin/python -m pip --disable-pip-version-check install --quiet "$wheel"
trainconsole=$there/venv/bin/trainconsole
"$trainconsole" --version
"$trainconsole" --help >help
"$trainconsole" presets | grep -q iris
"$trainconsole" --preset iris --no-ui --set epochs=3
"$trainconsole" export last --svg run.svg --size 80x24
# A console in a terminal of its own: it opens on the run, and q leaves it.
{ sleep 5; printf q; sleep 2; } | timeout 60 script --quiet --return --command "$trainconsole attach last" typescript >/dev/null
grep -q iris typescript
echo "the wheel works on its own"
