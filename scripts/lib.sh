# shellcheck shell=bash
# Sourced by the scripts beside it; needs bash and python3, installs the rest.
#
#   need_apt PACKAGE…         those distribution packages are installed, or one line says what to install
#   want_apt PACKAGE…         likewise, but without them things go on, poorer
#   ensure_venv [GROUP…]      .venv holds this project and the named dependency groups (dev)
#
# All are safe to repeat and quick when there is nothing to do.

ROOT=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
VENV="$ROOT/.venv"

say() { printf '%s\n' "$*" >&2; }

die() {
    say "${0##*/}: $*"
    exit 1
}

is_installed() {
    [ "$(dpkg-query --show --showformat='${db:Status-Status}' "$1" 2>/dev/null)" = installed ]
}

need_apt() {
    local package missing=()
    for package in "$@"; do
        is_installed "$package" || missing+=("$package")
    done
    [ ${#missing[@]} -gt 0 ] || return 0
    command -v apt-get >/dev/null || die "install with your package manager: ${missing[*]}"
    [ "$(id -u)" = 0 ] || die "install them first: sudo apt-get install -y ${missing[*]}"
    say "installing ${missing[*]}"
    local apt=(apt-get -qq -o DPkg::Lock::Timeout=400) # another installation may be under way
    DEBIAN_FRONTEND=noninteractive "${apt[@]}" update >&2 || say "apt-get update failed; trying without it"
    DEBIAN_FRONTEND=noninteractive "${apt[@]}" -y --no-install-recommends install "${missing[@]}" >&2 </dev/null ||
        die "apt-get could not install: ${missing[*]}"
}

want_apt() {
    (need_apt "$@") || say "going on without: $*"
}

# The first Python of 3.11 or later.
find_python() {
    local name
    for name in "${PYTHON:-python3}" python3.13 python3.12 python3.11; do
        if "$name" -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null; then
            printf '%s\n' "$name"
            return
        fi
    done
    die "Python 3.11 or later is needed: sudo apt-get install -y python3"
}

make_venv() {
    local python
    python=$(find_python) || exit 1
    if ! "$python" -c 'import ensurepip, venv' 2>/dev/null; then
        need_apt "python$("$python" -c 'import sys; print("%d.%d" % sys.version_info[:2])')-venv"
    fi
    say "making $VENV"
    rm -rf "$VENV"
    "$python" -m venv "$VENV" || die "could not make $VENV"
}

# What an installation depends on, as one word.
fingerprint() {
    { cat "$ROOT/pyproject.toml" && "$VENV/bin/python" --version && printf '%s\n' "$VENV" "$@"; } | sha256sum | cut -d' ' -f1
}

ensure_venv() {
    local groups=() group stamp lock
    exec {lock}<"$ROOT/scripts/lib.sh"
    flock "$lock" # two scripts at once: the second waits, then finds everything done
    "$VENV/bin/python" -m pip --version >/dev/null 2>&1 || make_venv
    stamp="$VENV/.installed${1:+-$(IFS=-; printf '%s' "$*")}"
    if [ "$(cat "$stamp" 2>/dev/null)" != "$(fingerprint "$@")" ]; then
        for group in "$@"; do
            groups+=(--group "$ROOT/pyproject.toml:$group")
        done
        say "installing into $VENV (a few minutes the first time)"
        "$VENV/bin/python" -m pip install --quiet --disable-pip-version-check 'pip>=25.1' >&2 || die "pip cannot install"
        "$VENV/bin/python" -m pip install --quiet --disable-pip-version-check --editable "$ROOT" "${groups[@]}" >&2 ||
            die "the installation failed; its last lines are above"
        fingerprint "$@" >"$stamp"
        fingerprint >"$VENV/.installed"
    fi
    exec {lock}>&-
}
