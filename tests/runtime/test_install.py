"""What is installed is what the README promises: the library from a temporary prefix, found by pkg-config and by
CMake, shared and static, built into the example, with nothing behind it that must not be there.
Then what trains: it must find LibTorch from where it is installed.
Usage: test_install.py CMAKE BUILD [asan]"""
import os
import re
import subprocess
import sys
import tempfile

import numpy as np

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
import llmc_file

CMAKE, BUILD = sys.argv[1:3]
SANITIZED = sys.argv[3:]  # the sanitizers of the build, if it has any
SOURCE = os.path.abspath(os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", ".."))
STRIPPED_NBYTES_MAX = 300_000
# libc (with its loader and libm), OpenMP, HDF5, zlib, utf8proc
NEEDED = {"libc", "ld-linux-x86-64", "libm", "libgomp", "libhdf5_serial", "libhdf5", "libz", "libutf8proc"}
FLAGS = ["-fsanitize=" + SANITIZED[0]] if SANITIZED else []
VOCABULARY = "[PAD] [UNK] [CLS] [SEP] [MASK] good bad film plot the".split()
TEXTS = ["good film", "bad plot", "", "the film"]


def run(*command, **options):
    done = subprocess.run(command, capture_output=True, text=True, **options)
    assert done.returncode == 0, (command, done.stdout, done.stderr)
    return done.stdout


def public_functions():
    with open(os.path.join(SOURCE, "include", "llmc_runtime.h")) as file:
        return set(re.findall(r"^LLMC_PUBLIC [^(]*?(\w+)\(", file.read(), re.MULTILINE))


def check_symbols(library_folder, scratch):
    shared = os.path.join(library_folder, "libllmc_runtime.so")
    static = os.path.join(library_folder, "libllmc_runtime.a")
    dynamic = run("objdump", "-p", shared)
    assert re.search(r"SONAME +libllmc_runtime\.so\.\d+\n", dynamic)
    for library, options in ((shared, ("-D",)), (static, ("-g",))):
        names = {line.split()[-1] for line in run("nm", *options, "--defined-only", library).splitlines()
                 if len(line.split()) == 3}
        assert SANITIZED or names == public_functions(), (library, names ^ public_functions())
    if not SANITIZED:
        needed = {name.split(".so")[0] for name in re.findall(r"NEEDED +(\S+)", dynamic)}
        assert needed <= NEEDED, needed - NEEDED
        stripped = os.path.join(scratch, "stripped.so")
        run("strip", "-o", stripped, shared)
        nbytes = os.path.getsize(stripped)
        print(f"stripped shared library: {nbytes} bytes, needs {sorted(needed)}")
        assert nbytes < STRIPPED_NBYTES_MAX


# What version 0.1.0 said; programs compiled with it compare numbers.
STATUSES = ["OK", "ERR_IO", "ERR_FORMAT", "ERR_CONFIG", "ERR_DATA", "ERR_ARGUMENT", "ERR_MEMORY", "ERR_TORCH",
            "ERR_UNSUPPORTED", "ERR_INTERRUPTED"]


def check_header(include, scratch):
    """Compiles alone, as strict C11 and as C++; statuses have the numbers that they always had."""
    for language, options in (("c", ("-std=c11", "-Wpedantic")), ("c++", ("-std=c++11",))):
        path = os.path.join(scratch, "header." + language)
        with open(path, "w") as file:
            file.write("#include <llmc_runtime.h>\n")
            for number, name in enumerate(STATUSES):
                file.write(f"typedef char {name}_is_{number}[LLMC_{name} == {number} ? 1 : -1];\n")
        compiler = "gcc" if language == "c" else "g++"
        if subprocess.run(["which", compiler], capture_output=True).returncode == 0:
            run(compiler, "-x", language, "-Wall", "-Wextra", "-Werror", *options, "-I", include, "-fsyntax-only", path)


def build_by_pkg_config(prefix, library_folder, scratch, package):
    environment = os.environ | {"PKG_CONFIG_PATH": os.path.join(library_folder, "pkgconfig")}
    flags = run("pkg-config", "--cflags", "--libs", package, env=environment).split()
    program = os.path.join(scratch, package)
    run("gcc", "-O2", "-Wall", "-Wextra", "-Werror", *FLAGS, os.path.join(SOURCE, "examples", "classify.c"), "-o",
        program, *flags, f"-Wl,-rpath,{library_folder}")
    return program


def build_by_cmake(prefix, scratch, static):
    folder = os.path.join(scratch, "cmake-static" if static else "cmake-shared")
    run(CMAKE, "-G", "Ninja", "-S", os.path.join(SOURCE, "examples"), "-B", folder, f"-DCMAKE_PREFIX_PATH={prefix}",
        f"-DSTATIC={'ON' if static else 'OFF'}", f"-DCMAKE_C_FLAGS={' '.join(FLAGS)}")
    run(CMAKE, "--build", folder)
    return os.path.join(folder, "classify")


def links_shared(program):
    return "libllmc_runtime.so" in run("objdump", "-p", program)


with tempfile.TemporaryDirectory() as scratch:
    prefix = os.path.join(scratch, "prefix")
    run(CMAKE, "--install", BUILD, "--prefix", prefix, "--component", "runtime")
    assert os.listdir(os.path.join(prefix, "bin")) == ["llmc"]
    header = run("find", prefix, "-name", "llmc_runtime.h").strip()
    library_folder = os.path.dirname(run("find", prefix, "-name", "libllmc_runtime.a").strip())
    check_symbols(library_folder, scratch)
    check_header(os.path.dirname(header), scratch)

    model = os.path.join(scratch, "model.llmc")
    llmc_file.write_small(model, VOCABULARY, np.random.default_rng(3))
    expected = run(os.path.join(prefix, "bin", "llmc"), "predict", model, *TEXTS)
    assert len(expected.splitlines()) == len(TEXTS)
    for static in (False, True):
        for program in (build_by_pkg_config(prefix, library_folder, scratch,
                                            "llmc_runtime-static" if static else "llmc_runtime"),
                        build_by_cmake(prefix, scratch, static)):
            assert links_shared(program) != static, program
            assert run(program, model, *TEXTS) == expected, program
            failed = subprocess.run([program, "/nonexistent"], capture_output=True, text=True)
            assert failed.returncode == 1 and failed.stderr.startswith("input/output error: /nonexistent: ")

    bench = [os.path.join(prefix, "bin", "llmc"), "bench", "train", "--help"]
    missing = subprocess.run(bench, capture_output=True, text=True)
    assert missing.returncode == 9 and "component training" in missing.stderr, missing
    run(CMAKE, "--install", BUILD, "--prefix", prefix, "--component", "training")
    distill = os.path.join(prefix, "bin", "llmc-distill")
    alone = {"PATH": os.environ["PATH"], "LD_LIBRARY_PATH": ""} if not SANITIZED else None
    assert run(distill, "--help", env=alone).startswith("usage: llmc-distill CONFIG")
    assert "stages" in run(distill, "--keys", env=alone)
    assert run(*bench, env=alone).startswith("usage: llmc bench train")
