"""LLMC_TRAINING=OFF builds what answers where neither LibTorch nor YAML, xxHash, ONNX or protobuf-c are to be found, and
a plain build does not stop at a warning. Usage: test_runtime_only.py CMAKE [C_COMPILER_LAUNCHER]"""
import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

import numpy as np

sys.path.insert(0, str(Path(__file__).resolve().parent))
import llmc_file

CMAKE = sys.argv[1]
LAUNCHER = sys.argv[2] if len(sys.argv) > 2 else ""
SOURCE = Path(__file__).resolve().parents[2]
VOCABULARY = "[PAD] [UNK] [CLS] [SEP] [MASK] good bad film plot the".split()
NEEDED = ["jansson", "libutf8proc"]  # beside HDF5, zlib and OpenMP, which CMake finds in its own ways


def run(*command, **options):
    done = subprocess.run([str(part) for part in command], capture_output=True, text=True, **options)
    assert done.returncode == 0, (command, done.stdout, done.stderr)
    return done.stdout


with tempfile.TemporaryDirectory() as scratch:
    scratch = Path(scratch)
    packages = scratch / "packages"
    packages.mkdir()
    for name in NEEDED:
        folder = run("pkg-config", "--variable=pcfiledir", name).strip()
        shutil.copy(f"{folder}/{name}.pc", packages)
    environment = os.environ | {"PKG_CONFIG_LIBDIR": str(packages), "PKG_CONFIG_PATH": "", "LLMC_TORCH": "/nonexistent"}
    configure = [CMAKE, "-S", SOURCE, "-B", scratch / "build", "-G", "Ninja", "-DCMAKE_BUILD_TYPE=Debug",
                 f"-DCMAKE_C_COMPILER_LAUNCHER={LAUNCHER}", "-DLLMC_TESTS=OFF"]
    refused = subprocess.run([*map(str, configure)], capture_output=True, text=True, env=environment)
    assert refused.returncode != 0
    configured = run(*configure, "-DLLMC_TRAINING=OFF", env=environment)
    assert "ONNX: left out" in configured and "LibTorch" not in configured, configured
    commands = run("ninja", "-C", scratch / "build", "-t", "commands")
    assert "-Wall" in commands and "-Werror" not in commands
    run(CMAKE, "--build", scratch / "build")
    run(CMAKE, "--install", scratch / "build", "--prefix", scratch / "prefix")
    assert os.listdir(scratch / "prefix" / "bin") == ["llmc"]

    llmc, model = scratch / "prefix" / "bin" / "llmc", scratch / "model.llmc"
    llmc_file.write_small(str(model), VOCABULARY, np.random.default_rng(3))
    assert len(run(llmc, "predict", model, "good film", "bad plot").splitlines()) == 2
    run(llmc, "inspect", model)
    run(llmc, "export", model, "--to", "safetensors")
    failed = subprocess.run([llmc, "export", model, "--to", "onnx"], capture_output=True, text=True)
    assert failed.returncode == 9 and "built without it" in failed.stderr, failed
    libraries = run("objdump", "-p", llmc)
    assert not [name for name in ("torch", "yaml", "xxhash", "protobuf") if name in libraries]
