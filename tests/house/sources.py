"""The C files of a tree, and what stands in them, for the tests of the house rules."""

import re
from pathlib import Path

SUFFIXES = {".c", ".h"}


def source_files(root):
    """Paths below root, relative to it: of folders with a row in ARCHITECTURE.md's table, so that build folders and what
    a person keeps beside the sources do not count."""
    return sorted(path.relative_to(root) for folder in {name.split("/")[0] for name in folders(root)}
                  for path in (root / folder).rglob("*") if path.suffix in SUFFIXES)


def folders(root):
    """{"formats/hdf5": "`base/`", ...}: the table of ARCHITECTURE.md in its order, each folder with its last column."""
    rows = re.findall(r"^\| `([\w/]+)/` \|.*\| *(.*?) *\|$", (root / "ARCHITECTURE.md").read_text(), re.M)
    assert rows, "ARCHITECTURE.md has no table of folders"
    return dict(rows)


def code_of(text):
    """Without comments and the content of strings; every character stays in its line."""
    token = re.compile(r'/\*.*?\*/|//[^\n]*|"(?:\\.|[^"\\\n])*"|\'(?:\\.|[^\'\\\n])*\'', re.S)

    def blank(match):
        kept = match.group()
        return kept[0] + kept[0] if kept[0] in "\"'" else re.sub(r"[^\n]+", " ", kept)

    return token.sub(blank, text)


def includes(path):
    """Our own files that a file includes: those in quotation marks."""
    return re.findall(r'^[ \t]*#[ \t]*include[ \t]+"([^"]+)"', path.read_text(), re.M)


def is_template(path):
    """A header that is meant to be included in several contexts, with macros that say how: it says so by having no
    guard, and only folders of kernels may have one."""
    return path.suffix == ".h" and path.parent.name == "kernels" and not guard_of(path)


def guard_of(path):
    match = re.search(r"^#ifndef (\w+)\n#define \1\n", code_of(path.read_text()), re.M)
    return match.group(1) if match else None


def repository():
    return Path(__file__).resolve().parents[2]
