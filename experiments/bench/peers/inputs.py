"""Texts to the arrays that a BERT takes: Hugging Face's fast tokenizer, padded to the longest text of the call."""
import json
import sys
from pathlib import Path

import numpy as np

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))
import texts  # noqa: E402

NAMES = ("input_ids", "attention_mask", "token_type_ids")


class Encoder:
    """Of the folder that `llmc export` writes; cuts texts as llmc does."""

    def __init__(self, folder):
        config = json.loads((Path(folder) / "tokenizer_config.json").read_text(encoding="utf-8"))
        self.tokenizer = texts.load_tokenizer(folder, config["model_max_length"])

    def ids(self, sentences):
        """encode_batch_fast keeps no offsets into the text, which nobody here reads."""
        return [encoding.ids for encoding in self.tokenizer.encode_batch_fast(sentences)]

    def arrays(self, sentences):
        rows = self.ids(sentences)
        shape = len(rows), max(map(len, rows))
        ids, mask = np.zeros(shape, np.int64), np.zeros(shape, np.int64)
        for row, tokens in enumerate(rows):
            ids[row, :len(tokens)] = tokens
            mask[row, :len(tokens)] = 1
        return dict(zip(NAMES, (ids, mask, np.zeros(shape, np.int64))))
