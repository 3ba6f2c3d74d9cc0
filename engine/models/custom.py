"""A network of the user's own."""

from __future__ import annotations

from torch import Tensor, nn
from torch.nn.parameter import is_lazy

from engine.custom_code import CustomCodeError, call_target, said, told_as_users
from engine.data.bundle import DataBundle
from engine.modes import evaluating
from engine.schema.custom import CustomModel


def build_custom(model: CustomModel, data: DataBundle) -> nn.Module:
    """The module that the user's code makes, having seen two samples, which lets lazy layers take their shape.

    Raises:
        CustomCodeError: the code can't be called, raised something, or gave what can't be trained on this data.
    """
    module = call_target(model.target, model.args, {"input_shape": data.input_shape, "outputs": data.outputs})
    name = said(model.target)
    if not isinstance(module, nn.Module):
        raise CustomCodeError(f"{name} gave a {type(module).__name__}", "it has to give a torch.nn.Module")
    try_out(module, data, name)
    _check_weights(module, name)
    return module


def samples_of(data: DataBundle) -> Tensor:
    """Two prepared samples of `data`, on the CPU; the same one twice where there is but one."""
    inputs = data.train.inputs
    if not len(inputs):  # asked without its data
        inputs = inputs.new_zeros((1, *data.input_shape))
    return data.prepare(inputs[[0, len(inputs) - 1]].cpu())


def try_out(module: nn.Module, data: DataBundle, name: str) -> None:
    """Let `module`, called `name`, answer two samples; it is left as it was, but for lazy layers, which are made.

    Raises:
        CustomCodeError: it raised something, or its answer has a shape that does not fit the targets.
    """
    with evaluating(module), told_as_users(name):
        outputs = module(samples_of(data))
    per_token = not data.train.targets.is_floating_point() and data.train.targets.ndim == 2
    wanted = (2, *data.input_shape[:1], data.outputs) if per_token else (2, data.outputs)
    if not isinstance(outputs, Tensor):
        given = f"a {type(outputs).__name__}"
    elif tuple(outputs.shape) != wanted:
        given = str(tuple(outputs.shape))
    elif not outputs.is_floating_point():
        given = f"{str(outputs.dtype).removeprefix('torch.')} numbers"
    else:
        return
    raise CustomCodeError(f"{name} gave {given} for {_in_words(data)}: wanted {_tensor_in_words(outputs, wanted)}")


def _tensor_in_words(outputs: object, wanted: tuple[int, ...]) -> str:
    if isinstance(outputs, Tensor):
        return str(wanted) if tuple(outputs.shape) != wanted else "floating-point numbers"
    return f"one tensor {wanted}"


def _in_words(data: DataBundle) -> str:
    if data.class_names and data.outputs > 1:
        return f"data with {data.outputs:,} classes"
    if data.class_names:
        return "data with targets 0 and 1"
    return f"data with {data.outputs:,} number{'s' if data.outputs != 1 else ''} per sample"


def _check_weights(module: nn.Module, name: str) -> None:
    """There is something to train, and all of it can be kept in a checkpoint."""
    parameters = dict(module.named_parameters())
    for key, parameter in parameters.items():
        if is_lazy(parameter):
            raise CustomCodeError(f"{name}: {key} has no shape yet", "its forward has to use every lazy layer")
    if not any(parameter.requires_grad for parameter in parameters.values()):
        what = "only parameters that are frozen" if parameters else "no parameters"
        raise CustomCodeError(f"{name} has {what}: there is nothing to train", "give it an nn.Parameter or a layer")
    for key, value in module.state_dict().items():
        if not isinstance(value, Tensor):
            raise CustomCodeError(
                f"{name}: its state has a {type(value).__name__} called {key}, which a checkpoint can't keep",
                "keep it as a tensor, with register_buffer",
            )
