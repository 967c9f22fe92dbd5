# Set-up of the programs of this folder; sourced, with the repository as the
# current folder.
. scripts/setup.sh

need_bench_packages() {
    need_packages gcc libc6-dev cmake ninja-build pkg-config python3-venv ca-certificates \
        libhdf5-dev zlib1g-dev libyaml-dev libjansson-dev libutf8proc-dev libxxhash-dev libcmocka-dev \
        libprotobuf-c-dev protobuf-c-compiler libonnx-dev
    need_python
}

# pip_requirements NAME FILE : `pip install -r FILE`, once.
pip_requirements() {
    stamped "$1" "$(cat "$2")" && return 0
    say "Python packages of the peers: $2"
    "$PYTHON" -m pip install --disable-pip-version-check -r "$2" || fail "pip failed; see above."
    stamp "$1" "$(cat "$2")"
}

# of experiments/bench/train and experiments/bench/loss_curves
need_bench() {
    need_bench_packages
    pip_requirements bench experiments/bench/requirements.txt
    build llmc llmc-bench-train
    scripts/get_movie_data.sh
}

# of experiments/bench/infer
need_bench_infer() {
    need_packages g++ python3-dev # of torch.compile
    need_bench_packages
    pip_requirements bench-infer experiments/bench/requirements-infer.txt
    build llmc llmc_runtime_shared
}
