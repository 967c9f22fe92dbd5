"""Every header compiles alone: it includes what it needs, whoever includes it. Not those of kernels, which say what is
done with the vectors of whichever version includes them."""

import json
import os
import shlex
import subprocess
from concurrent.futures import ThreadPoolExecutor

from sources import source_files


def library_flags(build):
    """Where the build finds the headers of libraries, and those that it makes."""
    flags = []
    for entry in json.loads((build / "compile_commands.json").read_text()):
        words = shlex.split(entry["command"])
        for i, word in enumerate(words):
            found = words[i:i + 2] if word == "-isystem" else [word] if word.startswith("-I") else []
            if found and found[-1] not in flags:
                flags += found
    return flags


def violations(root, compiler, build):
    flags = [compiler, "-std=c11", "-D_GNU_SOURCE", "-fopenmp", "-fsyntax-only", "-Wall", "-Werror",
             "-Wno-unused-function", "-x", "c", f"-I{root}", *library_flags(build)]

    def check(path):
        result = subprocess.run([*flags, "-include", str(root / path), os.devnull], capture_output=True, text=True)
        return f"{path} does not compile alone:\n{result.stderr}" if result.returncode else None

    headers = [path for path in source_files(root) if path.suffix == ".h" and path.parent.name != "kernels"]
    with ThreadPoolExecutor(2) as pool:
        return [message for message in pool.map(check, headers) if message]
