"""No name twice: of what leaves a file, a name means one thing everywhere."""

import re

from sources import code_of, guard_of, is_template, source_files

# The installed header stands alone, so it says again what base/status.h says.
PUBLIC_TAGS = {"llmc_status"}
# Versions of one header, of which a file includes exactly one.
SHARED_GUARDS = {"LLMC_RUNTIME_VECTOR_H"}
# Of a program, not of a library.
PROGRAM_FUNCTIONS = {"main", "LLVMFuzzerTestOneInput"}


def tags(code):
    """struct, union and enum tags that are defined with the prefix of what leaves a file."""
    return re.findall(r"\b(?:struct|union|enum)\s+(llmc_\w+)\s*\{", code)


def global_functions(code):
    """Names of functions that are defined and not static."""
    code = re.sub(r"^[ \t]*#(?:[^\n]*\\\n)*[^\n]*", "", code, flags=re.M)
    depth, start, names = 0, 0, []
    for match in re.finditer(r"[{};]", code):
        if match.group() == "{":
            depth += 1
            head = code[start:match.start()]
            name = re.search(r"(\w+)\s*\([^{};]*\)\s*$", head)
            if depth == 1 and name and "=" not in head and not re.search(r"\bstatic\b", head):
                names.append(name.group(1))
        elif match.group() == "}":
            depth -= 1
        if depth == 0:
            start = match.end()
    return names


def doubled(kind, places, known=()):
    wrong = [f"{kind} {name} is defined in {' and '.join(sorted(files))}" for name, files in sorted(places.items())
             if len(files) > 1 and name not in known]
    gone = [name for name in known if len(places.get(name, ())) < 2]
    return wrong + [f"tests/house/names.py: {kind} {name} is not doubled any more: take it out" for name in sorted(gone)]


def violations(root, known_tags=PUBLIC_TAGS, shared_guards=SHARED_GUARDS):
    all_tags, functions, guards, wrong = {}, {}, {}, []
    for path in source_files(root):
        text = code_of((root / path).read_text())
        for tag in tags(text):
            all_tags.setdefault(tag, set()).add(str(path))
        if path.suffix == ".c":
            for name in set(global_functions(text)) - PROGRAM_FUNCTIONS:
                functions.setdefault(name, set()).add(str(path))
        elif guard_of(root / path):
            guards.setdefault(guard_of(root / path), set()).add(str(path))
        elif not is_template(root / path):
            wrong.append(f"{path} has no guard (#ifndef NAME, #define NAME)")
    return (wrong + doubled("tag", all_tags, known_tags) + doubled("function", functions)
            + doubled("guard", guards, shared_guards))
