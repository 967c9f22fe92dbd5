"""Names that leave a file: none is defined by two folders, each begins with a word of its folder, and the public header
of the runtime is seen only by what uses the library. Usage: test_names.py BUILD ARCHIVE..."""
import re
import subprocess
import sys
from collections import defaultdict
from pathlib import Path

SOURCE = Path(__file__).resolve().parents[1]
BUILD = Path(sys.argv[1])
SEES_PUBLIC_HEADER = {"runtime", "bench", "cli", "examples", "tests"}
PUBLIC_HEADER = (SOURCE / "include" / "llmc_runtime.h").read_text()
PUBLIC = set(re.findall(r"^LLMC_PUBLIC [^(]*?(\w+)\(", PUBLIC_HEADER, re.MULTILINE))


def symbols(archive):
    done = subprocess.run(["nm", "-g", "--defined-only", archive], capture_output=True, text=True, check=True)
    return {fields[2] for fields in map(str.split, done.stdout.splitlines()) if len(fields) == 3}


def twice(places):
    return {name: sorted(found) for name, found in places.items() if len(found) > 1}


def own_files(pattern):
    listed = subprocess.run(["git", "-C", SOURCE, "ls-files", "--cached", "--others", "--exclude-standard", pattern],
                            capture_output=True, text=True, check=True)
    return [path for path in map(Path, listed.stdout.split()) if (SOURCE / path).is_file()]


defined = defaultdict(set)
for archive in sys.argv[2:]:
    folder = Path(archive).relative_to(BUILD).parts[0]
    for name in symbols(archive):
        defined[name].add(archive)
        assert name.startswith("llmc_"), f"{archive}: {name} does not start with llmc_"
        assert (folder == "runtime") == (name.startswith("llmc_rt_") or (name in PUBLIC and folder != "base")), \
            f"{archive}: {name}: names of runtime/ start with llmc_rt_ or are in the public header, others do not"
assert len(defined) > 200, "nm saw too little"

# The first word after the prefix says whose a name is: llmc_h5_read is of formats/hdf5.
subjects = defaultdict(set)
for name, archives in defined.items():
    subjects[name.split("_")[1]].update(str(Path(archive).parent.relative_to(BUILD)) for archive in archives)
assert not twice(subjects), f"first words of names that two folders share: {twice(subjects)}"
assert not twice(defined), f"defined twice: {twice(defined)}"

tags = defaultdict(set)
for path in own_files("*.h"):
    if path.parts[0] != "tests":
        for tag in re.findall(r"^(?:typedef )?(?:struct|union|enum) (\w+)\s*\{", (SOURCE / path).read_text(), re.MULTILINE):
            tags[tag].add(str(path))
tags.pop("llmc_status")  # base/status.h and the public header have the same one: runtime/status.c
assert len(tags) > 100, "too few types were found"
assert not twice(tags), f"types defined twice: {twice(tags)}"

for path in own_files("*.[ch]"):
    seen = re.search(r'^#\s*include\s*["<](include/)?llmc_runtime\.h', (SOURCE / path).read_text(), re.MULTILINE)
    assert not seen or path.parts[0] in SEES_PUBLIC_HEADER, f"{path} includes the runtime's public header"
print(f"{len(defined)} names and {len(tags)} types, none of them twice")
