"""The rules of the house that a script can check: house_test.py COMPILER BUILD_FOLDER"""

import sys
import tempfile
from pathlib import Path

import circles
import folders
import headers
import names
from sources import repository

TABLE = """| folder | what lives there | knows |
|---|---|---|
| `low/` | a | nothing |
| `middle/` | b | `low/` |
| `high/part/` | c | `middle/` |
| `side/` | d | `low/` |
| `top/` | e | everything above but `middle/` |
| `tests/` | f | |
"""


def expect(found, *expected):
    """Each expected text is part of one finding, and there are no others."""
    assert len(found) == len(expected), found
    for text in expected:
        assert any(text in finding for finding in found), (text, found)


def make(root, files):
    for name, text in {"ARCHITECTURE.md": TABLE, **files}.items():
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_text(text)
    return root


def in_a_tree(files, check, *expected):
    with tempfile.TemporaryDirectory() as folder:
        expect(check(make(Path(folder), files)), *expected)


def header(name, text=""):
    return f"#ifndef {name}\n#define {name}\n\n{text}\n#endif\n"


def test_checks_can_fail(compiler, build):
    def alone(root):
        return headers.violations(root, compiler, build)

    def circled(root):
        return circles.violations(root, {})

    def named(root):
        return names.violations(root, (), ())

    good = {"low/a.h": header("A"), "high/part/b.c": '#include "low/a.h"\n', "tests/c.c": '#include "top/d.h"\n',
            "top/d.h": header("D", '#include "side/e.h"'), "side/e.h": header("E", "struct llmc_e { int i; };"),
            "side/e.c": '#include "side/e.h"\nstatic int twice(int i) { return i; }\nint e(void)\n{\n    return 0;\n}\n',
            "low/a.c": 'static int twice(int i) { return i; }\nint a(void) { return twice(1); }\n'}
    for check in (folders.violations, circled, named):
        in_a_tree(good, check)
    in_a_tree({**good, "low/f.c": '#include "middle/g.h"\n'}, folders.violations, "low/f.c includes middle/g.h")
    in_a_tree({**good, "side/f.c": '  # include "middle/g.h"\n'}, folders.violations, "side/f.c includes middle/g.h")
    in_a_tree({**good, "top/f.c": '#include "high/part/g.h"\n#include "middle/g.h"\n'}, folders.violations,
              "top/f.c includes middle/g.h")
    in_a_tree({**good, "high/f.c": ""}, folders.violations, "high/f.c: its folder has no row")
    in_a_tree({**good, "ARCHITECTURE.md": TABLE.replace("`low/` |\n| `high", "`top/` |\n| `high")}, folders.violations,
              "middle/ knows top/", "high/part/b.c includes low/a.h")
    in_a_tree({**good, "low/a.h": header("A", '#include "low/b.h"'), "low/b.c": '#include "low/a.h"\n'}, circled,
              "low/a, low/b")
    in_a_tree(good, circles.violations, *circles.KNOWN)
    in_a_tree({**good, "top/g.c": "struct llmc_e {\n    int j;\n};\n/* struct llmc_f { */"}, named, "tag llmc_e")
    in_a_tree({**good, "top/g.c": "char *\ne(char *(*f)(void), int i[3])\n{\n}\n"}, named, "function e")
    in_a_tree({**good, "top/g.h": header("E")}, named, "guard E")
    in_a_tree({**good, "top/g.h": "int i;\n", "top/kernels/h.h": ""}, named, "top/g.h has no guard")
    in_a_tree({**good, "top/g.h": header("G", "size_t count;")}, alone, "top/g.h does not compile alone")


def main(compiler, build):
    test_checks_can_fail(compiler, Path(build))
    root = repository()
    wrong = [*folders.violations(root), *circles.violations(root), *names.violations(root),
             *headers.violations(root, compiler, Path(build))]
    print("\n".join(wrong) or "The house is in order.")
    return bool(wrong)


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
