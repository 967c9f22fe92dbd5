"""No circle among files: a .c and its .h count as one, and what they include does not lead back to them."""

from sources import includes, source_files

# Circles that wait to be cut, each by one of its files; when a circle is gone, so must its line be.
KNOWN = {
    "formats/checkpoint/compressed": "the public header and what the folder shares",
    "model/bert": "the public header and what the folder shares",
    "tensor/kernels": "the public header and what the folder shares",
    "tensor/operations": "the public header and what the folder shares",
    "text/tokenizer": "the rules of the normaliser",
}


def graph(root):
    edges = {}
    for path in source_files(root):
        unit = str(path.with_suffix(""))
        to = {name.rsplit(".", 1)[0] for name in includes(root / path)}
        edges.setdefault(unit, set()).update(to - {unit})
    return edges


def reachable(edges, start):
    seen, todo = set(), [start]
    while todo:
        for name in edges.get(todo.pop(), ()):
            if name not in seen:
                seen.add(name)
                todo.append(name)
    return seen


def circles(edges):
    """Lists of files that all lead to one another."""
    reach = {name: reachable(edges, name) for name in edges}
    found = {frozenset(other for other in reach[name] if name in reach.get(other, ())) for name in edges
             if name in reach[name]}
    return sorted(sorted(circle) for circle in found)


def violations(root, known=KNOWN):
    found = circles(graph(root))
    wrong = [f"a circle of includes: {', '.join(circle)}" for circle in found if not known.keys() & set(circle)]
    gone = [name for name in known if not any(name in circle for circle in found)]
    return wrong + [f"tests/house/circles.py: {name} is in no circle any more: take it out of KNOWN" for name in gone]
