#!/bin/sh
# All modules compile for 64-bit ARM without a warning: compile_arm64.sh CMAKE BUILD [C_COMPILER_LAUNCHER]
set -eu
cd "$(dirname "$0")/.."
if ! command -v aarch64-linux-gnu-gcc >/dev/null 2>&1; then
    echo "not compiled for arm64: no aarch64-linux-gnu-gcc here (Debian: gcc-aarch64-linux-gnu)"
    exit 77
fi
"$1" --preset arm64 -B "$2/arm64" ${3:+-DCMAKE_C_COMPILER_LAUNCHER="$3"} >/dev/null
"$1" --build "$2/arm64"
