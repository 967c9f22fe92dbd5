"""What a peer does with one batch: closures over a model, by work and setting. Each returns the loss, or None."""
import copy

import torch
import torch.nn.functional as F

import bert
from optimizers import GroupedAdamW, PlainAdamW


def attention(work, setting):
    """sdpa is what one gets; without dropout it trains slower on short texts than the plain products."""
    return "eager" if setting == "strongest" and work != "logits" else "sdpa"


def _autocast(precision):
    return torch.autocast("cpu", torch.bfloat16, enabled=precision == "bf16")


def strongest_training(work, model, precision, rowwise):
    """On cached logits for distil, on labels for finetune."""
    optimizer = GroupedAdamW(model, rowwise)

    def step(batch):
        with _autocast(precision):
            logits = model(**batch.inputs).logits.float()
        loss = F.mse_loss(logits, batch.targets) if work == "distil" else F.cross_entropy(logits, batch.labels)
        loss.backward()
        optimizer.step()
        return loss.item()
    return step


def strongest_logits(model, precision):
    """All weights in bf16: autocast, which keeps norms and sums of the residuals wider, is slower."""
    model.eval()
    if precision == "bf16":
        model.to(torch.bfloat16)

    def step(batch):
        with torch.inference_mode():
            model(**batch.inputs).logits.float()
    return step


def usual_training(work, model, teacher):
    """fp32; for distil the teacher answers inside the loop."""
    optimizer = PlainAdamW(model)

    def step(batch):
        logits = model(**batch.inputs).logits
        if work == "distil":
            with torch.no_grad():
                targets = teacher(**batch.inputs).logits
            loss = F.mse_loss(logits, targets)
        else:
            loss = F.cross_entropy(logits, batch.labels)
        loss.backward()
        optimizer.step()
        return loss.item()
    return step


def usual_logits(model):
    model.eval()

    def step(batch):
        with torch.no_grad():
            model(**batch.inputs)
    return step


def make(work, setting, precision, model, rowwise):
    """`model` is the teacher of the folder, dropout set; returns the step and the model that it trains or asks."""
    teacher = copy.deepcopy(model).eval() if work == "distil" and setting == "usual" else None
    if work == "distil":
        bert.make_student(model)
    model.train()
    if setting == "usual":
        return (usual_logits(model) if work == "logits" else usual_training(work, model, teacher)), model
    return (strongest_logits(model, precision) if work == "logits" else
            strongest_training(work, model, precision, rowwise)), model
