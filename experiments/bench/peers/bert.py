"""The models of the PyTorch peers: a BERT of a Hugging Face folder and the student made from it."""
import os
import shutil
from pathlib import Path

os.environ["HF_HUB_OFFLINE"] = "1"  # folders only: a typing error must not become a download

import torch  # noqa: E402
import transformers  # noqa: E402

transformers.logging.set_verbosity_error()
transformers.utils.logging.disable_progress_bar()

STUDENT_LAYERS = 3


def load(folder, labels, attention):
    """A folder without a classifier gets a fresh one, from torch's seed. labels None: as many as the folder says."""
    count = {} if labels is None else {"num_labels": labels}
    return transformers.BertForSequenceClassification.from_pretrained(
        folder, attn_implementation=attention, dtype=torch.float32, **count)


def make_student(model):
    """Keeps every other layer, the last one included; a model that is small enough stays as it is."""
    layers = model.bert.encoder.layer
    if len(layers) > STUDENT_LAYERS:
        model.bert.encoder.layer = torch.nn.ModuleList(layers[1::2])
        model.config.num_hidden_layers = len(layers[1::2])
    return model


def set_dropout(model, probability):
    model.config.hidden_dropout_prob = model.config.attention_probs_dropout_prob = probability
    for module in model.modules():
        if isinstance(module, torch.nn.Dropout):
            module.p = probability


def save(model, folder, origin):
    """The starting weights and the tokenizer of `origin`, for others to start from."""
    model.save_pretrained(folder)
    for name in ("vocab.txt", "tokenizer.json"):
        if (Path(origin) / name).exists():
            shutil.copy(Path(origin) / name, folder)
