"""AdamW with clipping by the global norm: with the semantics of llmc (train/optimizer.h), and as people write it."""
import torch

LEARNING_RATE, WEIGHT_DECAY, CLIP_NORM, EPSILON = 1e-4, 0.01, 1.0, 1e-8


class RowwiseAdamW:
    """AdamW for dense parameters, SparseAdam for the rows of the word embedding that the batch has.

    As llmc trains; and faster than one AdamW for all: it need not clear, clip and update 11.7 million numbers of
    which a batch of short texts touches a hundredth.
    """

    def __init__(self, model):
        embedding = model.bert.embeddings.word_embeddings
        embedding.sparse = True
        self.words = embedding.weight
        groups = [dict(params=[], weight_decay=WEIGHT_DECAY), dict(params=[], weight_decay=0.0)]
        for name, parameter in model.named_parameters():
            if parameter is not self.words:
                groups[name.endswith("bias") or "LayerNorm" in name]["params"].append(parameter)
        self.dense_parameters = [p for group in groups for p in group["params"]]
        self.dense = torch.optim.AdamW(groups, lr=LEARNING_RATE, eps=EPSILON, fused=True)
        self.sparse = torch.optim.SparseAdam([self.words], lr=LEARNING_RATE, eps=EPSILON)

    def step(self):
        self.words.grad = self.words.grad.coalesce()
        gradients = [p.grad for p in self.dense_parameters] + [self.words.grad.values()]
        norm = torch.nn.utils.get_total_norm(gradients, foreach=True).item()
        if norm > CLIP_NORM:
            torch._foreach_mul_(gradients, CLIP_NORM / (norm + 1e-6))
        self.dense.step()
        self.sparse.step()
        self.dense.zero_grad()
        self.sparse.zero_grad()


class PlainAdamW:
    """torch.optim.AdamW as it comes, behind clip_grad_norm_."""

    def __init__(self, model):
        self.parameters = list(model.parameters())
        self.adamw = torch.optim.AdamW(self.parameters, lr=LEARNING_RATE, weight_decay=WEIGHT_DECAY)

    def step(self):
        torch.nn.utils.clip_grad_norm_(self.parameters, CLIP_NORM)
        self.adamw.step()
        self.adamw.zero_grad()
