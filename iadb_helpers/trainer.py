"""Training as a long job: ``train`` goes through the loop with a recipe, a checkpoint, a bar, and a way to stop."""

import contextlib
import hashlib
import sys
import warnings
from collections.abc import Iterator
from dataclasses import asdict, replace
from functools import partial
from itertools import islice
from pathlib import Path

import torch
from torch import Generator, Tensor, nn
from torch.utils.data import Dataset

from iadb_helpers.averaging import Average
from iadb_helpers.batches import DrawAlpha, DrawX0, batches, focused_alpha, gaussian_noise, uniform_alpha
from iadb_helpers.checkpoints import Checkpoint
from iadb_helpers.checks import check_callable, check_choice, check_count, check_positive, check_seed, described
from iadb_helpers.data import compact_images, to_model_range
from iadb_helpers.history import History, Recorder
from iadb_helpers.machine.console import Console
from iadb_helpers.machine.device import PRECISIONS, describe, on_device, pick_device
from iadb_helpers.machine.files import display_path, full_path
from iadb_helpers.machine.interrupts import Interrupt
from iadb_helpers.machine.locks import reserved
from iadb_helpers.machine.memory import is_out_of_memory, keep_freed_memory
from iadb_helpers.machine.processes import Processes, together
from iadb_helpers.machine.threads import Threads
from iadb_helpers.recipes import REFERENCE, Recipe
from iadb_helpers.tangent import evaluator
from iadb_helpers.training import Loss, deblending_loss, fused_adam, set_learning_rate, training_loop


def train(
    model: nn.Module,
    dataset: Dataset,
    *,
    recipe: Recipe = REFERENCE,
    periods: int | None = None,
    batch_size: int | None = None,
    learning_rate: float | None = None,
    loss: Loss = deblending_loss,
    draw_x0: DrawX0 = gaussian_noise,
    draw_alpha: DrawAlpha | None = None,
    precision: str = "auto",
    device: str | torch.device | None = None,
    max_steps: int | None = None,
    max_seconds: float | None = None,
    seed: int = 0,
    origin: str | None = None,
    checkpoint: str | Path | None = None,
    resume: bool = False,
) -> History:
    """Train a deblending network in place (paper, algorithm 3, with the difference x₁ − x₀ as the target).

    Shows a progress bar with the loss per pixel and images/s. An interrupt (Ctrl-C, the stop button, a closed pipe)
    takes effect after the current step: the checkpoint is written, and the history so far is returned; SIGTERM and
    SIGHUP then end the process. Whenever a history is returned, the model has the averaged weights, if the recipe
    averages. For as long as it goes on, the number of threads follows what else the machine does (``Threads``); the
    process keeps up to 1 GB of freed memory.

    Where torchrun has started several processes, all train one network: each draws digits, noise and α of its own, and
    PyTorch's DistributedDataParallel exchanges the gradients. N of them with batches of B train as one with batches of
    N × B. The first shows the bar and writes the checkpoint; an interrupt takes effect within 50 steps.

    Args:
        model: D, called as ``model(x_alpha, alpha)``.
        dataset: gives (x₁ in the model's range, label), float and all of one shape. Its transform is applied only once
            per image, so that a random one does not vary between periods.
        recipe: gives the next three unless you set them.
        periods, batch_size, learning_rate: as in ``Recipe``, the batch size for each process. What is left over of a
            period's last batch is dropped.
        loss: called as ``loss(D, x0, x1, alpha)``, where D is the model as a function, in the precision asked for;
            returns one number (0-d), summed over batch and pixels, by whose count it is divided before it is shown. On
            CUDA its Python code runs in the first steps only, which are then replayed: no counters in it.
        draw_x0: called as ``draw_x0(x1, generator)``: where x₀ comes from, and which x₀ meets which x₁.
        draw_alpha: called as ``draw_alpha(B, generator)``, gives [B]; None means the recipe's.
        precision: of the network's evaluations, ``"auto"``, ``"float32"`` or ``"bfloat16"``, as ``in_precision`` has
            it. The loss, the weights and Adam's moments keep float32.
        device: None means CUDA, else MPS, else the CPU. Of several processes on CUDA each takes a GPU of its own.
        max_steps: stop after this many steps if the periods have more.
        max_seconds: stop after the step during which this time has passed. A learning rate that follows a cycle was
            planned for all steps, and has then not reached its end.
        seed: fixes the order of the images, the noise and α. Call ``torch.manual_seed`` before you build the model to
            fix its first weights.
        origin: what the first weights are, where they are not random: any text, such as the SHA-256 of their file.
        checkpoint: a file that is replaced after every period, at the end and on interruption. It is tried before the
            first step, and until the last one no other process can train into it.
        resume: continue from that file where there is one, to the same losses as if never stopped. On a CPU that is
            to the last bit where the number of threads is the same and stays so (``IADB_THREADS``). Otherwise, and on
            a GPU, whose sums need not be taken in the same order twice, it is up to rounding. Seed, origin, recipe,
            number of images, kind of device and number of processes must be the same as before; so must the names of
            loss, ``draw_x0`` and ``draw_alpha`` (two lambdas cannot be told apart). A network that draws numbers itself
            (dropout) draws others.

    Returns:
        A ``History``; ``.losses`` holds every step since the very first, resumed or not.

    Raises:
        ValueError: for fewer images than one batch, a setting out of its range, images that are not finite floats, an
            absent device, a model, loss or drawing function that returns another shape, a checkpoint that is damaged,
            of another network, of another training, no checkpoint at all, or in use by another process, or several
            processes that were given different things or are more than the GPUs.
        OSError: if the checkpoint cannot be written there.
        FloatingPointError: when a loss or weight is no longer finite; says the step. The checkpoint, if any, is the
            last good one.
        RuntimeError: when the memory does not suffice, and says what to change; or when another of several processes
            has ended.
    """
    if not isinstance(recipe, Recipe):
        raise ValueError(f"recipe must be a Recipe, for example iadb_helpers.recipes.FAST, got {recipe!r}")
    given = {"periods": periods, "batch_size": batch_size, "learning_rate": learning_rate}
    recipe = replace(recipe, **{name: value for name, value in given.items() if value is not None})
    if draw_alpha is None:
        draw_alpha = focused_alpha if recipe.focused else uniform_alpha
    for name, function in (("loss", loss), ("draw_x0", draw_x0), ("draw_alpha", draw_alpha)):
        check_callable(name, function)
    _check_settings(model, max_steps, max_seconds, seed, origin, checkpoint, resume)
    seed, max_steps = int(seed), max_steps and int(max_steps)  # of NumPy's numbers a checkpoint would know nothing
    check_choice("precision", precision, PRECISIONS)
    path = full_path(checkpoint) if checkpoint is not None else None  # now: a program may go to another folder
    interrupted, history = Interrupt(), History()
    keep_freed_memory()
    try:
        with interrupted, _workplace(pick_device(device), path) as (processes, own_device, threads):
            images = compact_images(dataset).to(own_device)
            batch_size = recipe.batch_size * processes.count
            if len(images) < batch_size:
                raise ValueError(f"{len(images)} images are fewer than one batch of {batch_size}")
            like, weight = to_model_range(images[:1]), next(model.parameters())
            if like.dtype != weight.dtype:
                raise ValueError(f"the dataset must give images as the weights are, {weight.dtype}, got {like.dtype}")
            steps_a_period = len(images) // batch_size
            history.steps = min(recipe.periods * steps_a_period, max_steps or sys.maxsize)
            settings = {"recipe": asdict(recipe), "seed": seed, "origin": origin, "images": len(images)}
            settings |= {"steps": history.steps}
            settings |= {"loss": _name(loss), "draw_x0": _name(draw_x0), "draw_alpha": _name(draw_alpha)}
            if processes.count > 1:
                _check_agreement(processes, settings, model, images, precision, path, resume)
            network = evaluator(processes.with_mean_gradients(model.to(own_device).train()), precision)
            optimizer, average = fused_adam(model, own_device), Average(model, recipe.average)
            generator = Generator(own_device).manual_seed(processes.own_seed(seed))
            file = Checkpoint(path, model, average, optimizer, generator, settings, processes) if path else None
            if file:
                file.check(resume)
            if resume and file and file.path.is_file():
                history.losses = file.restore()
                history.saved = len(history.losses)
            first_step = len(history.losses)
            rate_at = partial(recipe.rate_at, steps=history.steps)
            stream = batches(
                images, recipe.batch_size, seed, generator, first_step, draw_x0, draw_alpha,
                part=processes.rank, parts=processes.count,
            )  # fmt: skip
            stream = islice(stream, max(0, history.steps - first_step))  # fewer may be asked for than were done
            if first_step < history.steps:
                set_learning_rate(optimizer, rate_at(first_step))
            console = Console(lost=interrupted.set)
            console.say(
                f"Training on {processes.times(describe(own_device, precision))}: "
                f"{len(images):,} images, recipe {recipe.name!r}, "
                f"batch {processes.times(recipe.batch_size)}, learning rate {recipe.learning_rate:g}, "
                f"steps {first_step:,} to {history.steps:,}"
            )
            recorder = Recorder(history, batch_size, like.numel(), rate_at, console, threads, processes)
            if recorder.should_stop(interrupted, max_seconds=None):  # already: no step is taken
                stream = iter(())
            # DistributedDataParallel takes the mean of the gradients, where a loss that is a sum wants their sum.
            summed = partial(_one_number, loss, processes.count)
            # A recorded step would have to hold the exchange between processes, which nobody here could try.
            losses = training_loop(network, optimizer, stream, summed, graph=processes.count == 1)
            with recorder.bar:
                for value in threads.timed(losses):
                    recorder.add(value)
                    average.update(recorder.step)
                    if recorder.should_stop(interrupted, max_seconds):
                        break
                    set_learning_rate(optimizer, rate_at(recorder.step))
                    if recorder.step % steps_a_period == 0:
                        _check_and_save(model, optimizer, recorder, file)
            if recorder.step > first_step:
                _check_and_save(model, optimizer, recorder, file)
            average.apply()  # only now: the checkpoint needs the weights that the next step starts from
            console.say(recorder.last_line() + _what_is_saved(history, path))
    except (FloatingPointError, RuntimeError, MemoryError) as error:
        if is_out_of_memory(error):
            raise RuntimeError(
                f"the memory does not suffice for batches of {recipe.batch_size}: "
                f"use train(..., batch_size={max(1, recipe.batch_size // 2)}) or, on a GPU, device='cpu'"
            ) from error
        if path and history.saved and type(error) in (FloatingPointError, RuntimeError):
            raise type(error)(f"{error}. The last good checkpoint is {display_path(path)}") from error
        raise
    finally:
        model.zero_grad()  # gradients of a recorded graph would keep all its memory
        model.eval()
        interrupted.pass_on()
    return history


@contextlib.contextmanager
def _workplace(device: torch.device, path: Path | None) -> Iterator[tuple[Processes, torch.device, Threads]]:
    """All that a training has to itself: its processes, this one's device and threads, and the checkpoint."""
    with together() as processes:
        device = processes.own_device(device)
        # A CUDA graph belongs to the current GPU, so the one that trains has to be that.
        with reserved(path if processes.first else None), Threads(device) as threads, on_device(device):
            yield processes, device, threads


def _check_agreement(
    processes: Processes,
    settings: dict,
    model: nn.Module,
    images: Tensor,
    precision: str,
    path: Path | None,
    resume: bool,
) -> None:
    """Let several processes go on only if all were given the same: else they would wait for each other for ever."""
    weights = [(name, *weight.shape, weight.requires_grad) for name, weight in model.named_parameters()]
    alike = {"precision": precision, "checkpoint": path is not None}
    alike["network"] = f"{len(weights)} weights ({hashlib.sha256(repr(weights).encode()).hexdigest()[:8]})"
    alike["sum of all images"] = images.sum(dtype=torch.float64).item()
    processes.check_agreement(settings | alike)
    # Only now: here all have waited until the first has written what it had begun to write.
    processes.check_agreement({"resume": resume and path is not None and path.is_file()})


def _what_is_saved(history: History, path: Path | None) -> str:
    """What a reader must know of the checkpoint at the end, if anything."""
    if path is None:
        return ""
    if history.saved < len(history.losses):
        return f"; the checkpoint could not be written: {display_path(path)} holds {history.saved:,} of these steps"
    stopped = history.interrupted or history.out_of_time
    return f"; resume=True continues from {display_path(path)}" if stopped and history.saved else ""


def _check_settings(model, max_steps, max_seconds, seed, origin, checkpoint, resume: bool) -> None:
    if not isinstance(model, nn.Module):
        raise ValueError(f"model must be a torch.nn.Module, got {model!r}")
    if not any(weight.requires_grad for weight in model.parameters()):
        raise ValueError("model must have weights that can be trained (requires_grad), got none")
    if not torch.is_grad_enabled():
        raise ValueError("train must not be called under torch.no_grad(): it needs gradients")
    check_seed(seed)
    if origin is not None and not isinstance(origin, str):
        raise ValueError(f"origin must be a text, got {origin!r}")
    if max_steps is not None:
        check_count("max_steps", max_steps)
    if max_seconds is not None:
        check_positive("max_seconds", max_seconds)
    if resume and checkpoint is None:
        raise ValueError("resume=True needs checkpoint=, the file to continue from")


def _one_number(loss: Loss, times: int, *arguments) -> Tensor:
    """What a loss returns, so many times, if a step can go down it."""
    value = loss(*arguments)
    if not isinstance(value, Tensor) or value.ndim or not value.requires_grad:
        raise ValueError(f"loss must return one number (0-d) that depends on the network, got {described(value)}")
    return times * value


def _name(function: object) -> str:
    """What tells one function from another in a checkpoint."""
    if isinstance(function, partial):
        values = [*enumerate(function.args), *sorted(function.keywords.items())]
        return f"{_name(function.func)} with " + ", ".join(f"{key}={_plain(value)}" for key, value in values)
    return getattr(function, "__qualname__", type(function).__name__)


def _plain(value: object) -> str:
    """A value as a text that is the same in another process: of what is no number or word, only the kind."""
    return repr(value) if isinstance(value, (int, float, str)) or value is None else _name(value)


def _check_and_save(
    model: nn.Module, optimizer: torch.optim.Optimizer, recorder: Recorder, file: Checkpoint | None
) -> None:
    """Write a checkpoint, but only of losses, weights and moments that are finite."""
    recorder.fetch()
    # A loss can be finite while the step it led to was not, so the weights themselves are looked at.
    if not all(torch.isfinite(p).all() for p in model.parameters()):
        raise recorder.diverged("a weight is no longer finite", recorder.step)
    moments = (moment for state in optimizer.state.values() for moment in state.values())
    if not all(torch.isfinite(moment).all() for moment in moments):  # gradients whose square is too large
        raise recorder.diverged("a moment of Adam's is no longer finite", recorder.step)
    if file is None:
        return
    try:
        file.save(recorder.history.losses)
        recorder.history.saved = recorder.step
    except (OSError, MemoryError) as error:  # hours of training are worth more than this file: say so and go on
        warnings.warn(f"no checkpoint of step {recorder.step}: {error}", stacklevel=3)
