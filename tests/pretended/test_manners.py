"""The pretended device is as strict as a real one: what passes on it has not passed for want of looking."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import pytest
import torch
from torch import Tensor, nn

from engine.cuda_graph import CudaGraphs
from tests.pretended import SYNC_ERROR, OnDevice, pretend, waits

THERE = torch.device("cuda", 0)


@pytest.fixture(autouse=True)
def _device(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    with pretend(monkeypatch):
        yield


def test_tensors_say_where_they_are_and_come_back() -> None:
    moved, made = torch.arange(3).to("cuda"), torch.ones(3, device=THERE)
    assert {moved.device, made.device, (moved + made).device} == {THERE}
    assert (moved + made).tolist() == [1.0, 2.0, 3.0]
    assert type(moved.cpu()) is Tensor
    assert moved.to(THERE) is moved


def test_rows_are_found_by_a_list() -> None:
    rows = torch.arange(6).reshape(3, 2).to(THERE)
    assert rows[[2, 0]].tolist() == [[4, 5], [0, 1]]
    assert rows[:, [1]].tolist() == [[1], [3], [5]]
    rows[[0, 1]] = 7
    assert rows.tolist() == [[7, 7], [7, 7], [4, 5]]


def test_a_network_learns_there_as_it_does_here() -> None:
    torch.manual_seed(0)
    inputs, here = torch.randn(8, 3), nn.Linear(3, 2)
    there = nn.Linear(3, 2)
    there.load_state_dict(here.state_dict())
    there.to(THERE)
    for network, batch in ((here, inputs), (there, inputs.to(THERE))):
        network(batch).square().sum().backward()
        torch.optim.SGD(network.parameters(), 0.1, fused=True).step()
    assert isinstance(there.weight, nn.Parameter)
    assert torch.equal(there.weight.detach().cpu(), here.weight)


@pytest.mark.parametrize(
    "mixed",
    [
        lambda there: there + torch.ones(4),
        lambda there: torch.cat([there, torch.ones(4)]),
        lambda there: there.index_select(0, torch.tensor([1])),
        lambda there: torch.where(torch.ones(4, dtype=torch.bool), there, there),
        lambda there: nn.Linear(4, 1)(there),
    ],
)
def test_tensors_of_two_devices_do_not_meet(mixed: Callable[[Tensor], Tensor]) -> None:
    with pytest.raises(RuntimeError, match="same device"):
        mixed(torch.ones(4, device=THERE))


def test_numbers_are_no_array_before_they_have_come_back() -> None:
    with pytest.raises((TypeError, RuntimeError)):
        torch.ones(3, device=THERE).numpy()


WAITING: list[Callable[[Tensor], object]] = [
    Tensor.item,
    lambda there: bool(there > 0),
    lambda there: there.reshape(1).tolist(),
    lambda there: there.reshape(1).cpu(),
    lambda there: there.reshape(1).nonzero(),
    lambda there: there.reshape(1)[there.reshape(1) > 0],
    lambda there: there.reshape(1)[torch.tensor([0])],
    lambda there: there.reshape(1)[[0]],
    lambda there: torch.zeros(()).copy_(there),
    lambda there: torch.ones(3).to(THERE),
    lambda there: torch.tensor(1.0, device=THERE),
]


@pytest.mark.parametrize("work", WAITING)
def test_the_host_waits_where_it_would(work: Callable[[Tensor], object]) -> None:
    there = torch.ones((), device=THERE)
    waits.clear()
    work(there)
    assert len(waits) == 1
    torch.cuda.set_sync_debug_mode("error")
    with pytest.raises(RuntimeError, match=SYNC_ERROR):
        work(there)
    with pytest.raises(RuntimeError, match="capturing"):
        CudaGraphs().capture(lambda: work(there))


def test_it_waits_for_nothing_else() -> None:
    torch.cuda.set_sync_debug_mode("error")
    there = torch.arange(4).pin_memory().to(THERE, non_blocking=True)
    assert isinstance((there * 2.0).index_select(0, there).sum().fill_(3), OnDevice)


def test_a_graph_does_again_what_tensors_did_and_nothing_that_python_did() -> None:
    rate, weight, calls = torch.ones((), device=THERE), torch.zeros(2, device=THERE), []

    def work() -> Tensor:
        calls.append(1)
        weight.sub_(rate * (len(calls) + 1))
        return weight * 10

    replay, result = CudaGraphs().capture(work)
    assert weight.tolist() == [0, 0]  # capturing does nothing
    replay()
    rate.fill_(3)
    replay()
    assert weight.tolist() == [-2 - 6, -2 - 6]
    assert result.tolist() == [-80, -80]
    assert len(calls) == 1


def test_a_replay_draws_other_numbers_and_the_cpu_draws_its_own() -> None:
    here = torch.get_rng_state()
    replay, drawn = CudaGraphs().capture(lambda: torch.rand(4, device=THERE))
    state = torch.cuda.get_rng_state()
    replay()
    first = drawn.tolist()
    replay()
    assert drawn.tolist() != first
    torch.cuda.set_rng_state(state)
    replay()
    assert drawn.tolist() == first
    assert torch.equal(torch.get_rng_state(), here)


def test_running_statistics_are_as_before_once_captured() -> None:
    norm, batch = nn.BatchNorm1d(2).to(THERE), torch.arange(6.0).reshape(3, 2).to(THERE)
    CudaGraphs().capture(lambda: norm(batch))
    assert norm.running_mean.tolist() == [0, 0]
    assert norm.num_batches_tracked.item() == 0
