"""Answer each token with a class, by a plain recurrent network (Elman, 1990)."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from engine.data.bundle import DataBundle
from engine.schema import text_model as schema


class OneHot(nn.Module):
    """A token as a row of zeros with a single one."""

    def __init__(self, vocabulary: int) -> None:
        super().__init__()
        self.vocabulary = vocabulary

    def forward(self, ids: Tensor) -> Tensor:
        """(N, T, vocabulary) of (N, T) int64 token ids."""
        return F.one_hot(ids, self.vocabulary).float()


class CellInLoop(nn.Module):
    """A recurrent cell that is taken from step to step by hand."""

    def __init__(self, inputs: int, hidden: int) -> None:
        super().__init__()
        self.cell = nn.RNNCell(inputs, hidden)

    def forward(self, inputs: Tensor) -> Tensor:
        """(N, T, hidden) states after each step of (N, T, inputs)."""
        state = inputs.new_zeros(len(inputs), self.cell.hidden_size)
        states = []
        for step in inputs.unbind(1):
            state = self.cell(step, state)
            states.append(state)
        return torch.stack(states, dim=1)


class RnnOfLibrary(nn.RNN):
    """torch's own, giving its states alone."""

    def forward(self, inputs: Tensor) -> Tensor:  # type: ignore[override] # it gives the last state as well
        """(N, T, hidden) states after each step of (N, T, inputs)."""
        with torch.autocast(inputs.device.type, enabled=False):  # see `LstmOfLibrary`
            states: Tensor = super().forward(inputs.float())[0]
            return states


class RnnTagger(nn.Module):
    """Tokens as numbers, a recurrent layer, and one fully connected layer for every step."""

    def __init__(self, model: schema.Rnn, vocabulary: int, outputs: int) -> None:
        super().__init__()
        is_embedded = model.variant == "embedding"
        width = model.embedding if is_embedded else vocabulary
        self.encoding = nn.Embedding(vocabulary, width) if is_embedded else OneHot(vocabulary)
        self.rnn = (
            CellInLoop(width, model.hidden)
            if model.variant == "cell"
            else RnnOfLibrary(width, model.hidden, batch_first=True)
        )
        self.output = nn.Linear(model.hidden, outputs)

    def forward(self, ids: Tensor) -> Tensor:
        """(N, T, outputs) logits of (N, T) token ids."""
        logits: Tensor = self.output(self.rnn(self.encoding(ids)))
        return logits


def build_rnn(model: schema.Rnn, data: DataBundle) -> nn.Module:
    """The module that `model` describes."""
    return RnnTagger(model, len(data.vocabulary), data.outputs)
