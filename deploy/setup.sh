# Installs what is missing on a fresh Debian 12 machine. Sourced by ./demo and ./test.
# Asks nothing, says what it does, and can be run again.

set -euo pipefail

ROOT=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
VENV="$ROOT/.venv"
export PATH="$HOME/.cargo/bin:$PATH"

# Builds show their progress to people and keep quiet in logs.
QUIET=--quiet
[ ! -t 2 ] || QUIET=

say() { printf '\033[1m•\033[0m %s\n' "$*"; }
fail() { printf 'setup: %s\n' "$*" >&2; exit 1; }

as_root() {
  if [ "$(id -u)" = 0 ]; then "$@"
  elif command -v sudo >/dev/null; then sudo "$@"
  else fail "need root to install packages: run as root, or install sudo"; fi
}

# Debian packages: those that are not there yet.
install_packages() {
  local missing=()
  for package in "$@"; do
    dpkg-query -W -f='${Status}' "$package" 2>/dev/null | grep -q 'ok installed' || missing+=("$package")
  done
  [ ${#missing[@]} = 0 ] && return
  say "installing Debian packages: ${missing[*]}"
  as_root apt-get update -qq
  as_root env DEBIAN_FRONTEND=noninteractive \
    apt-get install -y -qq --no-install-recommends "${missing[@]}" >/dev/null
}

install_java() {
  if command -v java >/dev/null; then
    local version
    version=$(java -version 2>&1 | sed -n 's/.*version "\([0-9]*\).*/\1/p' | head -1)
    [ "${version:-0}" -ge 17 ] && return
  fi
  install_packages openjdk-17-jre-headless
}

install_rust() {
  command -v cargo >/dev/null && return
  install_packages curl
  say "installing Rust by rustup"
  curl --proto '=https' --tlsv1.2 -fsS https://sh.rustup.rs |
    sh -s -- -y --quiet --profile minimal --component clippy,rustfmt
}

# Node.js builds and tests the CCF application; nothing of it runs in the service.
install_node() {
  command -v node >/dev/null || install_packages nodejs
  command -v npm >/dev/null || install_packages npm
  [ "$(node -p 'Number(process.versions.node.split(".")[0])')" -ge 18 ] || fail "need Node.js 18 or newer"
}

# What package-lock.json names, in the folder that has it; again only when that has changed.
install_node_modules() {
  local stamp="$1/node_modules/.lock" wanted
  wanted=$(sha256sum <"$1/package-lock.json" | cut -d' ' -f1)
  [ -f "$stamp" ] && [ "$(cat "$stamp")" = "$wanted" ] && return
  (cd "$1" && npm ci --no-audit --no-fund --ignore-scripts --loglevel=error)
  printf '%s' "$wanted" >"$stamp"
}

# Virtual environments of our own, with the pinned requirements. Two, as the last release of CCF's
# tools for this Python wants older libraries than the application.
install_python() {
  install_venv "$VENV" "PySpark and friends into .venv (a few hundred megabytes, once)" "$@"
}

install_ccf_tools() {
  install_venv "$VENV-ccf" "Microsoft's tools for CCF ledgers into .venv-ccf (once)" "$@"
}

# Adds what the requirements ask for and is not there yet; what others asked for stays.
install_venv() {
  local VENV=$1 what=$2 python=python3 file
  shift 2
  local stamp="$VENV/.requirements" missing=() arguments=()
  for file in "$@"; do
    grep -qs "^$(sha256sum <"$file" | cut -d' ' -f1)$" "$stamp" || missing+=("$file")
    arguments+=(-r "$file")
  done
  [ ${#missing[@]} = 0 ] && return
  command -v python3 >/dev/null && python3 -m venv --help >/dev/null 2>&1 || install_packages python3 python3-venv
  say "installing $what"
  if [ ! -f "$stamp" ]; then
    # None there, or one whose installation was cut off.
    rm -rf "$VENV"
    "$python" -m venv "$VENV" 2>/dev/null || { install_packages python3-venv; "$python" -m venv "$VENV"; }
  fi
  local known
  known=$(cat "$stamp" 2>/dev/null || true)
  rm -f "$stamp"
  "$VENV/bin/pip" install ${QUIET:+--quiet} --disable-pip-version-check "${arguments[@]}"
  { [ -z "$known" ] || printf '%s\n' "$known"; for file in "$@"; do sha256sum <"$file" | cut -d' ' -f1; done; } |
    sort -u >"$stamp"
}

setup() {
  command -v apt-get >/dev/null || fail "this script installs by apt-get; on another system install by hand what README lists"
  install_packages ca-certificates git gcc libc6-dev python3 python3-venv nats-server procps
  install_java
  install_rust
  install_python "$@"
}
