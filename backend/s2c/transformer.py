# SPDX-License-Identifier: GPL-3.0-or-later
"""The encoder and decoder pair that S2C uses twice: for positions and for the denoiser's condition.

The decoder may look at frame i of the encoder's output from frame i alone. A softmax over one thing is one, so that attention is
two linear maps; its queries and keys, which published checkpoints hold, do nothing.
"""

from torch import Tensor, nn
from torch.nn import functional as F

from .config import TransformerConfig
from .masks import causal_bias

DROPOUT = 0.1  # of the published networks; in use only while training


class SelfAttention(nn.Module):
    """Multi-head attention over frames: (B, N, D) to (B, N, D)."""

    def __init__(self, width: int, heads: int) -> None:
        super().__init__()
        self.heads = heads
        self.project = nn.Linear(width, 3 * width)
        self.out = nn.Linear(width, width)

    def forward(self, x: Tensor, bias: Tensor | None) -> Tensor:
        parts = self.project(x).unflatten(-1, (3, self.heads, -1)).permute(2, 0, 3, 1, 4)  # (3, B, heads, N, D / heads)
        lost = DROPOUT if self.training else 0.0
        mixed = F.scaled_dot_product_attention(parts[0], parts[1], parts[2], attn_mask=bias, dropout_p=lost)
        return self.out(mixed.transpose(1, 2).flatten(2))


class FrameAttention(nn.Module):
    """Attention of each frame to the same frame of the memory: (B, N, D) to (B, N, D)."""

    def __init__(self, width: int, heads: int) -> None:
        super().__init__()
        self.heads = heads
        self.value = nn.Linear(width, width)
        self.out = nn.Linear(width, width)

    def forward(self, memory: Tensor) -> Tensor:
        value = self.value(memory)
        if self.training:  # dropout of attention weights, of which each frame and head has one
            kept = F.dropout(value.new_ones(*value.shape[:2], self.heads, 1), DROPOUT)
            value = (value.unflatten(-1, (self.heads, -1)) * kept).flatten(2)
        return self.out(value)


class FeedForward(nn.Module):
    def __init__(self, width: int, hidden: int) -> None:
        super().__init__()
        self.inner = nn.Linear(width, hidden)
        self.outer = nn.Linear(hidden, width)
        self.dropout = nn.Dropout(DROPOUT)

    def forward(self, x: Tensor) -> Tensor:
        return self.outer(self.dropout(F.relu(self.inner(x))))


class EncoderLayer(nn.Module):
    """Post-norm layer (Vaswani et al. 2017)."""

    def __init__(self, config: TransformerConfig) -> None:
        super().__init__()
        self.attention = SelfAttention(config.width, config.heads)
        self.attention_norm = nn.LayerNorm(config.width)
        self.feed_forward = FeedForward(config.width, config.encoder_hidden)
        self.feed_forward_norm = nn.LayerNorm(config.width)
        self.dropout = nn.Dropout(DROPOUT)

    def forward(self, x: Tensor) -> Tensor:
        x = self.attention_norm(x + self.dropout(self.attention(x, None)))
        return self.feed_forward_norm(x + self.dropout(self.feed_forward(x)))


class DecoderLayer(nn.Module):
    """Post-norm layer with attention to the memory's own frame."""

    def __init__(self, config: TransformerConfig) -> None:
        super().__init__()
        self.attention = SelfAttention(config.width, config.heads)
        self.attention_norm = nn.LayerNorm(config.width)
        self.memory = FrameAttention(config.width, config.heads)
        self.memory_norm = nn.LayerNorm(config.width)
        self.feed_forward = FeedForward(config.width, config.decoder_hidden)
        self.feed_forward_norm = nn.LayerNorm(config.width)
        self.dropout = nn.Dropout(DROPOUT)

    def forward(self, x: Tensor, memory: Tensor, bias: Tensor | None) -> Tensor:
        x = self.attention_norm(x + self.dropout(self.attention(x, bias)))
        x = self.memory_norm(x + self.dropout(self.memory(memory)))
        return self.feed_forward_norm(x + self.dropout(self.feed_forward(x)))


class EncoderDecoder(nn.Module):
    """(B, N, D) to (B, N, D). The decoder starts from what the encoder starts from. No positional encoding."""

    bias: Tensor

    def __init__(self, config: TransformerConfig, frames: int) -> None:
        super().__init__()
        self.encoder = nn.ModuleList(EncoderLayer(config) for _ in range(config.layers))
        self.decoder = nn.ModuleList(DecoderLayer(config) for _ in range(config.layers))
        self.register_buffer("bias", causal_bias(config.heads, frames, config.period), persistent=False)

    def forward(self, x: Tensor, *, causal: bool = False) -> Tensor:
        """`causal`: whether the decoder sees the past alone (at most the `frames` given at the start)."""
        memory = x
        for layer in self.encoder:
            memory = layer(memory)
        count = x.shape[1]
        bias = self.bias[:, :count, :count].to(x.dtype) if causal else None
        for layer in self.decoder:
            x = layer(x, memory, bias)
        return x


def set_dropout(model: nn.Module, on: bool) -> None:
    """Switch dropout of the position and condition transformers; everything else keeps its mode."""
    for module in model.modules():
        if isinstance(module, EncoderDecoder):
            module.train(on)
