"""Makes train.tsv and dev.tsv of the movie-review snippets in vaderSentiment's source package.

    movie_data.py vaderSentiment-3.3.2.tar.gz FOLDER

Each snippet has a mean rating: above 0 is label 1 (positive), below 0 label 0
(negative), 0 is dropped. A text goes to dev by its own hash, so that the split
is the same everywhere and equal texts stay on one side.
"""
import hashlib
import io
import os
import re
import sys
import tarfile

SHA256 = "5d7c06e027fc8b99238edb0d53d970cf97066ef97654009890b83703849632f9"
INNER = "vaderSentiment-3.3.2/additional_resources/hutto_ICWSM_2014.tar.gz"
SNIPPETS = "hutto_ICWSM_2014/movieReviewSnippets_GroundTruth.txt"
DEV_OF_256 = 26  # about a tenth


def read_snippets(path):
    """The lines `id<TAB>mean<TAB>text` of the file in the archive in the archive."""
    with open(path, "rb") as file:
        content = file.read()
    if hashlib.sha256(content).hexdigest() != SHA256:
        sys.exit(f"{path}: not the published vaderSentiment-3.3.2.tar.gz; remove it and start again")
    with tarfile.open(fileobj=io.BytesIO(content)) as outer:
        with tarfile.open(fileobj=outer.extractfile(INNER)) as inner:
            return inner.extractfile(SNIPPETS).read().decode("utf-8")


def rows(snippets):
    """(text, label) of every snippet that has one."""
    for line in snippets.split("\n"):
        if not line.strip():
            continue
        _, mean, text = line.split("\t", 2)
        text = re.sub(r"[\x00-\x20\x7f]+", " ", text).strip()  # no tab, no line end inside a row
        if text and float(mean) != 0:
            yield text, int(float(mean) > 0)


def main():
    archive, folder = sys.argv[1:]
    os.makedirs(folder, exist_ok=True)
    split = {"train": [], "dev": []}
    for text, label in rows(read_snippets(archive)):
        first_byte = hashlib.sha256(text.encode("utf-8")).digest()[0]
        split["dev" if first_byte < DEV_OF_256 else "train"].append((text, label))
    for name, pairs in split.items():
        path = os.path.join(folder, name + ".tsv")
        with open(path + ".tmp", "w", encoding="utf-8", newline="\n") as file:
            file.write("sentence\tlabel\n")
            file.writelines(f"{text}\t{label}\n" for text, label in pairs)
        os.replace(path + ".tmp", path)
        positive = sum(label for _, label in pairs)
        print(f"{path}: {len(pairs)} texts, {positive} positive, {len(pairs) - positive} negative")


if __name__ == "__main__":
    main()
