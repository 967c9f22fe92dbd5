"""AdamW with clipping by the global norm: in the groups of llmc (train/optimizer.h), and as people write it."""
import torch

LEARNING_RATE, WEIGHT_DECAY, CLIP_NORM, EPSILON = 1e-4, 0.01, 1.0, 1e-8


class GroupedAdamW:
    """AdamW; biases, layer norms and the word embedding do not decay. As llmc trains.

    rowwise: SparseAdam for the word embedding, which moves only the rows that the batch has. That is less than AdamW
    and llmc do, but faster: it need not clear, clip and update 11.7 million numbers of which a batch of short texts
    touches a hundredth.
    """

    def __init__(self, model, rowwise):
        embedding = model.bert.embeddings.word_embeddings
        embedding.sparse = rowwise
        self.words = embedding.weight if rowwise else None
        groups = [dict(params=[], weight_decay=WEIGHT_DECAY), dict(params=[], weight_decay=0.0)]
        for name, parameter in model.named_parameters():
            if parameter is not self.words:
                keeps = name.endswith("bias") or "LayerNorm" in name or parameter is embedding.weight
                groups[keeps]["params"].append(parameter)
        self.dense_parameters = [p for group in groups for p in group["params"]]
        self.optimizers = [torch.optim.AdamW(groups, lr=LEARNING_RATE, eps=EPSILON, fused=True)]
        if rowwise:
            self.optimizers.append(torch.optim.SparseAdam([self.words], lr=LEARNING_RATE, eps=EPSILON))

    def step(self):
        gradients = [p.grad for p in self.dense_parameters]
        if self.words is not None:
            self.words.grad = self.words.grad.coalesce()
            gradients.append(self.words.grad.values())
        norm = torch.nn.utils.get_total_norm(gradients, foreach=True).item()
        if norm > CLIP_NORM:
            torch._foreach_mul_(gradients, CLIP_NORM / (norm + 1e-6))
        for optimizer in self.optimizers:
            optimizer.step()
            optimizer.zero_grad()


class PlainAdamW:
    """torch.optim.AdamW as it comes, behind clip_grad_norm_."""

    def __init__(self, model):
        self.parameters = list(model.parameters())
        self.adamw = torch.optim.AdamW(self.parameters, lr=LEARNING_RATE, weight_decay=WEIGHT_DECAY)

    def step(self):
        torch.nn.utils.clip_grad_norm_(self.parameters, CLIP_NORM)
        self.adamw.step()
        self.adamw.zero_grad()
