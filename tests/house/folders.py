"""Which folder may include which: the last column of ARCHITECTURE.md's table, and what stands there knows in turn."""

import re

from sources import folders, includes, source_files

FREE = {"tests"}  # may include everything


def knowledge(root):
    """{folder: folders that it may include}, and what is wrong with the table itself."""
    table, known, wrong = folders(root), {}, []
    for folder, words in table.items():
        above = set(known)
        named = set(re.findall(r"`([\w/]+)/`", words))
        wrong += [f"ARCHITECTURE.md: {folder}/ knows {name}/, which does not stand above it" for name in named - above]
        if "everything above" in words:  # "everything above but `a/`, `b/`"
            known[folder] = {folder} | above - named
        else:
            known[folder] = {folder}.union(*(known[name] | {name} for name in named & above))
    return known, wrong


def folder_of(path, known):
    """The longest name in the table that the path starts with; None: there is no row."""
    names = [name for name in known if str(path).startswith(name + "/")]
    return max(names, key=len, default=None)


def violations(root):
    known, wrong = knowledge(root)
    for path in source_files(root):
        folder = folder_of(path, known)
        if folder is None:
            wrong.append(f"{path}: its folder has no row in ARCHITECTURE.md")
        elif folder not in FREE:
            for name in includes(root / path):
                if folder_of(name, known) not in known[folder]:
                    wrong.append(f"{path} includes {name}, which {folder}/ does not know in ARCHITECTURE.md's table")
    return wrong
