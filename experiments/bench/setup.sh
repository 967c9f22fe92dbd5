# Set-up of experiments/bench/train and experiments/bench/loss_curves; sourced, with
# the repository as the current folder.
. scripts/setup.sh

need_bench() {
    need_packages gcc libc6-dev cmake ninja-build pkg-config python3-venv ca-certificates \
        libhdf5-dev zlib1g-dev libyaml-dev libjansson-dev libutf8proc-dev libxxhash-dev
    need_python
    stamped bench "$(cat experiments/bench/requirements.txt)" || {
        say "Python packages of the PyTorch peers"
        "$PYTHON" -m pip install --disable-pip-version-check -r experiments/bench/requirements.txt ||
            fail "pip failed; see above."
        stamp bench "$(cat experiments/bench/requirements.txt)"
    }
    build llmc llmc-bench-train
    scripts/get_movie_data.sh
}
