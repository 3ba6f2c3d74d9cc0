"""Classify a text by an LSTM over its words (Hochreiter and Schmidhuber, 1997)."""

from __future__ import annotations

from collections import OrderedDict

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from engine.data.bundle import DataBundle
from engine.data.vocabulary import PADDING
from engine.schema import text_model as schema

ROWS_AT_ONCE = 512
"""Texts that are read together while nothing is learned: more would cost gigabytes and save no time."""


class LstmByHand(nn.Module):
    """One layer of an LSTM, written out from its gates.

    Its parameters are named, laid out and drawn as those of `nn.LSTM`, so that a state_dict moves between the two: the
    rows of every weight are those of the gates input, forget, cell and output, in this order.
    """

    def __init__(self, inputs: int, hidden: int) -> None:
        super().__init__()
        self.hidden = hidden
        self.weight_ih_l0 = nn.Parameter(torch.empty(4 * hidden, inputs))
        self.weight_hh_l0 = nn.Parameter(torch.empty(4 * hidden, hidden))
        self.bias_ih_l0 = nn.Parameter(torch.empty(4 * hidden))
        self.bias_hh_l0 = nn.Parameter(torch.empty(4 * hidden))
        for parameter in self.parameters():
            nn.init.uniform_(parameter, -(hidden**-0.5), hidden**-0.5)

    def forward(self, inputs: Tensor) -> Tensor:
        """(N, T, hidden) states after each step of (N, T, inputs)."""
        # what the inputs contribute is the same whatever the state: one product for all steps
        by_step = F.linear(inputs.transpose(0, 1), self.weight_ih_l0, self.bias_ih_l0 + self.bias_hh_l0)
        recurrent = self.weight_hh_l0.t()
        state = cell = inputs.new_zeros(len(inputs), self.hidden)
        states = []
        for from_input in by_step.unbind(0):
            i, f, g, o = torch.addmm(from_input, state, recurrent).chunk(4, dim=1)
            cell = f.sigmoid() * cell + i.sigmoid() * g.tanh()
            state = o.sigmoid() * cell.tanh()
            states.append(state)
        return torch.stack(states, dim=1)


class LstmOfLibrary(nn.LSTM):
    """torch's own, giving its states alone."""

    def forward(self, inputs: Tensor) -> Tensor:  # type: ignore[override] # it gives the last states as well
        """(N, T, hidden) states after each step of (N, T, inputs)."""
        # asked for bfloat16, most CPUs have no kernel and torch fails, and CUDA computes in float16 without a word
        with torch.autocast(inputs.device.type, enabled=False):
            states: Tensor = super().forward(inputs.float())[0]
            return states


class MeanOverTime(nn.Module):
    """The mean of the states at real words; what stands at padding never counts, whatever it is."""

    def forward(self, states: Tensor, is_word: Tensor) -> Tensor:
        """(N, H) means of (N, T, H) states where (N, T) `is_word`; zeros where a text has no word."""
        kept = torch.where(is_word[:, :, None], states, 0.0)
        return kept.sum(1) / is_word.sum(1, keepdim=True).clamp(min=1)


class LstmClassifier(nn.Module):
    """Embedding, LSTM, mean over the real words, two fully connected layers.

    Padding stands behind the words, where no state before it can depend on it.
    """

    def __init__(self, model: schema.Lstm, vocabulary: int, outputs: int) -> None:
        super().__init__()
        self.embedding = nn.Embedding(vocabulary, model.embedding, padding_idx=PADDING)
        self.lstm = (
            LstmByHand(model.embedding, model.hidden)
            if model.cell == "by-hand"
            else LstmOfLibrary(model.embedding, model.hidden, batch_first=True)
        )
        self.mean = MeanOverTime()
        head: OrderedDict[str, nn.Module] = OrderedDict(dense=nn.Linear(model.hidden, model.head), activation=nn.ReLU())
        if model.dropout:
            head["dropout"] = nn.Dropout(model.dropout)
        head["output"] = nn.Linear(model.head, outputs)
        self.head = nn.Sequential(head)

    def forward(self, ids: Tensor) -> Tensor:
        """(N, outputs) logits of (N, length) token ids."""
        if torch.is_grad_enabled() or len(ids) <= ROWS_AT_ONCE:
            return self._classify(ids)
        return torch.cat([self._classify(part) for part in torch.split(ids, ROWS_AT_ONCE)])

    def _classify(self, ids: Tensor) -> Tensor:
        is_word = ids != PADDING
        if ids.device.type == "cpu":  # elsewhere the host would have to wait for the longest text's length
            last = is_word.any(0).nonzero()[-1:]
            longest = int(last) + 1 if len(last) else 1
            ids, is_word = ids[:, :longest], is_word[:, :longest]
        logits: Tensor = self.head(self.mean(self.lstm(self.embedding(ids)), is_word))
        return logits


def build_lstm(model: schema.Lstm, data: DataBundle) -> nn.Module:
    """The module that `model` describes."""
    return LstmClassifier(model, len(data.vocabulary), data.outputs)
