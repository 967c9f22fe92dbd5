"""A finished run of llmc-distill: its model, its texts, and what it answered."""
import json
import os
from pathlib import Path

import yaml

from texts import read_rows


class Run:
    def __init__(self, folder, repository):
        self.folder = Path(folder).resolve()
        for name in ("model.llmc", "config.yaml", "labels.txt"):
            if not (self.folder / name).exists():
                raise ValueError(f"{folder}: no {name}: is this the folder of a finished run?")
        self.data = yaml.safe_load((self.folder / "config.yaml").read_text(encoding="utf-8"))["data"]
        if self.data.get("text_pair"):
            raise ValueError(f"{folder}: pairs of texts are not compared")
        self.repository = Path(repository)
        self.labels = (self.folder / "labels.txt").read_text(encoding="utf-8").splitlines()

    def path(self, which):
        """Of the "train" or "dev" texts: relative folders are looked for in LLMC_DATA, then in ./data."""
        places = [Path(place) for place in (os.environ.get("LLMC_DATA"), self.repository / "data") if place]
        paths = [place / self.data["folder"] / self.data[which] for place in places]
        found = next((path for path in paths if path.exists()), None)
        if found is None:
            raise ValueError(f"{paths[-1]} is missing: set LLMC_DATA to the folder that has {self.data['folder']}")
        return found

    def rows(self, which):
        """[(text, label)]"""
        return read_rows(self.path(which), self.data["text"], self.data["label"])

    def answers(self):
        """Label numbers of the dev texts as the verify stage found them; None without one."""
        reports = sorted(self.folder.glob("*-verify.json"))
        return json.loads(reports[-1].read_text(encoding="utf-8"))["answers"] if reports else None
