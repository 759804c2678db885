# shellcheck shell=bash
# Shared by tools/quickstart and tools/check: options, packages, configure and build.
# Sourced, never run. Everything here may be run again at any time.

root=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
build=$root/build/release
job=$(basename "$0")
install=yes
started=$SECONDS

packages=(g++ cmake ninja-build ccache llvm-19-dev llvm-19-tools clang-19 libzstd-dev zlib1g-dev libabsl-dev
  libfmt-dev libgtest-dev libgmock-dev libbenchmark-dev nlohmann-json3-dev libcli11-dev python3)

say() { printf '%s: %s\n' "$job" "$*"; }

# The last line of every unhappy end says so, and what to do next.
die() {
  printf '%s: FAILED: %s\n' "$job" "$*" >&2
  exit 1
}

# usage: parse_options "$usage" "$@"; leaves what it does not know in the array `rest`.
parse_options() {
  local usage=$1
  shift
  rest=()
  while (($#)); do
    case $1 in
      -h | --help) printf '%s\n' "$usage" && exit 0 ;;
      --no-install) install=no ;;
      --)
        shift
        rest+=("$@")
        return
        ;;
      *)
        printf '%s: unknown option %s\n\n%s\n' "$job" "$1" "$usage" >&2
        exit 2
        ;;
    esac
    shift
  done
}

missing_packages() {
  local name
  for name in "${packages[@]}"; do
    [[ $(dpkg-query -W -f='${db:Status-Status}' "$name" 2>/dev/null) == installed ]] || echo "$name"
  done
}

# A candidate of the package that apt could install now.
has_candidate() { [[ $(apt-cache policy "$1" 2>/dev/null) == *"Candidate: "[^\(]* ]]; }

all_have_candidates() {
  local name
  for name in "$@"; do has_candidate "$name" || return 1; done
}

install_packages() {
  if ! command -v dpkg-query >/dev/null; then
    say "this is no Debian system; going on with the tools that are here"
    return
  fi
  local missing as_root=() name
  mapfile -t missing < <(missing_packages)
  if ((${#missing[@]} == 0)); then
    say "all ${#packages[@]} packages are installed"
    return
  fi
  say "missing packages: ${missing[*]}"
  if [[ $install == no ]]; then
    die "--no-install was given; install the packages above, or run without it"
  fi
  if ((EUID != 0)); then
    command -v sudo >/dev/null ||
      die "installing needs root and there is no sudo; run as root: apt-get install ${missing[*]}"
    as_root=(sudo)
  fi
  as_root+=(env DEBIAN_FRONTEND=noninteractive)
  say "installing them, and what they need, with: ${as_root[*]} apt-get install --no-install-recommends"
  local get=("${as_root[@]}" apt-get -q -y -o Dpkg::Use-Pty=0)
  if ! all_have_candidates "${missing[@]}"; then
    "${get[@]}" update || "${get[@]}" update || say "apt-get update had errors; trying on"
    for name in "${missing[@]}"; do
      has_candidate "$name" ||
        die "apt knows no package $name; Debian 12 has all of them in 'bookworm main', so check that" \
          "/etc/apt lists it"
    done
  fi
  if ! "${get[@]}" install --no-install-recommends "${missing[@]}"; then
    say "that failed; once more with fresh package lists"
    "${get[@]}" update || true
    "${get[@]}" install --no-install-recommends "${missing[@]}" || die "apt-get install failed (see above)"
  fi
  mapfile -t missing < <(missing_packages)
  ((${#missing[@]} == 0)) || die "still missing after the installation: ${missing[*]}"
}

check_llvm() {
  local config version
  config=$(command -v llvm-config-19 || echo /usr/lib/llvm-19/bin/llvm-config)
  version=$("$config" --version 2>/dev/null) || die "LLVM 19.1 is needed, and $config does not run"
  [[ $version == 19.1.* ]] || die "LLVM 19.1 is needed, and $config is version $version"
}

configure() {
  # A build folder that came with a moved or copied tree cannot be used again.
  local home fresh=() python=()
  home=$(sed -n 's/^CMAKE_HOME_DIRECTORY:INTERNAL=//p' "$build/CMakeCache.txt" 2>/dev/null || true)
  [[ -z $home || $home == "$root" ]] || fresh=(--fresh)
  # lit starts faster in Debian's own Python than through a version manager's wrapper.
  [[ -x /usr/bin/python3 ]] && python=(-DPython3_EXECUTABLE=/usr/bin/python3)
  export CCACHE_BASEDIR=${CCACHE_BASEDIR:-$root} CCACHE_NOHASHDIR=${CCACHE_NOHASHDIR:-1}
  (cd "$root" && cmake --preset release "${fresh[@]}" "${python[@]}" >"$root/build/configure.log" 2>&1) || {
    tail -n 30 "$root/build/configure.log" >&2
    die "configuring failed; the whole log is build/configure.log"
  }
}

# usage: set_up TARGET...; afterwards the targets are built in $build.
set_up() {
  mkdir -p "$root/build"
  install_packages
  check_llvm
  say "configuring build/release"
  configure
  say "building $* with $(nproc) jobs"
  ninja -C "$build" -j"$(nproc)" "$@" || die "the build failed (see above)"
  say "built after $((SECONDS - started)) s"
}
