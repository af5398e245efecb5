"""The loss and the loop: D learns x₁ − x₀ from blends of noise and digits."""

import math
import sys
import time
import warnings
from dataclasses import asdict, replace
from pathlib import Path

import torch
from torch import Tensor, nn
from torch.utils.data import Dataset
from tqdm import tqdm

from iadb_helpers.blending import mix
from iadb_helpers.checkpoints import load_training, read_tensors, save_training
from iadb_helpers.data import SIZE, compact_images, to_model_range
from iadb_helpers.engine import Engine
from iadb_helpers.pairs import Pairs
from iadb_helpers.recipes import REFERENCE, History, Recipe
from iadb_helpers.runtime import describe, fast_precision, first_interrupt, keep_freed_memory, pick_device, shown

CHECK_EVERY = 50  # steps between looks at the losses: each look makes a GPU wait


def deblending_loss(model: nn.Module, x0: Tensor, x1: Tensor, alpha: Tensor) -> Tensor:
    """Σ (D(x_α, α) − (x₁ − x₀))², summed over batch and pixels (paper, section 4, the training objective).

    Args:
        x0, x1: float [B, 1, 32, 32].
        alpha: [B], not checked: looking at it would make a GPU wait.
    """
    with fast_precision(x0.device):
        tangent = model(mix(x0, x1, alpha), alpha)
    return (tangent.float() - (x1 - x0)).square().sum()


def train(
    model: nn.Module,
    dataset: Dataset,
    *,
    recipe: Recipe = REFERENCE,
    periods: int | None = None,
    batch_size: int | None = None,
    learning_rate: float | None = None,
    device: str | torch.device | None = None,
    max_steps: int | None = None,
    max_seconds: float | None = None,
    seed: int = 0,
    checkpoint: str | Path | None = None,
    resume: bool = False,
) -> History:
    """Train a deblending network in place (paper, algorithm 3, with the difference x₁ − x₀ as the target).

    Shows a progress bar with the loss per pixel and images/s. An interrupt (Ctrl-C, the stop button) takes effect
    after the current step: the checkpoint is written, and the history so far is returned. Whenever a history is
    returned, the model has the averaged weights, if the recipe averages.

    Args:
        model: D, called as ``model(x_alpha, alpha)``.
        dataset: gives (float [1, 32, 32] in the model's range, label); its transform is applied once an image.
        recipe: what the next three are where they are None.
        periods, batch_size, learning_rate: as in ``Recipe``. What is left over of a period's last batch is dropped.
        device: None means CUDA, else MPS, else the CPU.
        max_steps: stop after this many steps if the periods have more.
        max_seconds: stop after the step during which this time has passed. A learning rate that follows a cycle was
            planned for all steps, and has then not reached its end.
        seed: of the order of the images, the noise and α. The model's first weights are the caller's.
        checkpoint: a file that is replaced after every period, at the end and on interruption.
        resume: continue from that file where there is one, to the same losses as if never stopped.

    Returns:
        A ``History``; ``.losses`` holds every step since the very first, resumed or not.

    Raises:
        ValueError: for fewer images than one batch, a setting below 1, images that do not fit, an absent device,
            or a checkpoint of another network or of another training.
        FloatingPointError: when a loss or weight is no longer finite; says the step. The checkpoint, if any, is the
            last good one.
        RuntimeError: when the GPU's memory does not suffice; says what to change.
    """
    given = {"periods": periods, "batch_size": batch_size, "learning_rate": learning_rate}
    recipe = replace(recipe, **{name: value for name, value in given.items() if value is not None})
    _check_settings(recipe, max_steps, max_seconds, dataset)
    if resume and checkpoint is None:
        raise ValueError("resume=True needs checkpoint=, the file to continue from")
    device = pick_device(device)
    keep_freed_memory()
    try:
        images = compact_images(dataset).to(device)
        run = _Run(model.to(device).train(), images, recipe, max_steps, seed, checkpoint and Path(checkpoint))
        if resume and run.checkpoint.is_file():
            run.restore()
        print(
            f"Training on {describe(device)}: {len(images):,} images, recipe {recipe.name!r}, "
            f"batch {recipe.batch_size}, learning rate {recipe.learning_rate:g}, steps {run.step:,} to {run.steps:,}"
        )
        run.loop(max_seconds)
        run.engine.use_averaged()
    except torch.OutOfMemoryError as error:
        raise RuntimeError(
            f"the GPU's memory does not suffice for batches of {recipe.batch_size}: "
            f"use train(..., batch_size={max(1, recipe.batch_size // 2)}) or device='cpu'"
        ) from error
    finally:
        model.eval()
    return run.history


def _check_settings(recipe: Recipe, max_steps: int | None, max_seconds: float | None, dataset: Dataset) -> None:
    counts = {"periods": recipe.periods, "batch_size": recipe.batch_size, "max_steps": max_steps}
    for name, value in counts.items():
        if value is not None and (not isinstance(value, int) or value < 1):
            raise ValueError(f"{name} must be a whole number from 1 up, but {value!r} came")
    for name, value in {"learning_rate": recipe.learning_rate, "max_seconds": max_seconds}.items():
        if value is not None and not 0 < value < math.inf:
            raise ValueError(f"{name} must be a positive number, but {value!r} came")
    if not 0 <= recipe.average < 1:
        raise ValueError(f"a recipe's average must lie in [0, 1), but {recipe.average!r} came")
    if len(dataset) < recipe.batch_size:
        raise ValueError(f"{len(dataset)} images are fewer than one batch of {recipe.batch_size}")


class _Run:
    """One training: what the loop and its checkpoints share."""

    def __init__(
        self, model, images: Tensor, recipe: Recipe, max_steps: int | None, seed: int, checkpoint: Path | None
    ):
        self.model, self.recipe, self.seed, self.checkpoint = model, recipe, seed, checkpoint
        self.pairs = Pairs(images, recipe, seed)
        self.steps_a_period = self.pairs.steps_a_period
        self.steps = recipe.periods * self.steps_a_period
        if max_steps is not None:
            self.steps = min(self.steps, max_steps)
        self.step = 0
        self.history = History(steps=self.steps)
        self.engine = Engine(model, self.loss, recipe, images.device)

    def loss(self, images: Tensor, x0: Tensor, alpha: Tensor) -> Tensor:
        x1 = to_model_range(images) if images.dtype == torch.uint8 else images
        return deblending_loss(self.model, x0, x1, alpha)

    def loop(self, max_seconds: float | None) -> None:
        started, first_step, fresh = time.monotonic(), self.step, []
        bar = tqdm(total=self.steps, initial=self.step, unit="step", leave=False, file=sys.stdout, mininterval=0.5)
        with bar, first_interrupt() as interrupted:
            pairs = self.pairs.after(self.step)
            while self.step < self.steps and not interrupted.is_set() and not self.history.out_of_time:
                rate = self.recipe.rate_at(self.step, self.steps)
                fresh.append(self.engine.step(next(pairs), rate, self.step))
                self.step += 1
                bar.update()
                period_ends = self.step % self.steps_a_period == 0
                self.history.out_of_time = bool(max_seconds) and time.monotonic() - started >= max_seconds
                if len(fresh) == CHECK_EVERY or period_ends:
                    self.record(fresh)
                    took = max(time.monotonic() - started, 1e-9)  # a coarse clock may not have moved yet
                    speed = (self.step - first_step) * self.recipe.batch_size / took
                    bar.set_postfix_str(
                        f"loss/pixel {self.history.losses[-1]:.3f}, {speed:,.0f} images/s", refresh=False
                    )
                if period_ends and self.step < self.steps:
                    self.save()
            self.record(fresh)
        self.history.interrupted = interrupted.is_set() and self.step < self.steps
        self.history.out_of_time &= self.step < self.steps
        self.history.seconds = time.monotonic() - started
        if self.step > first_step:
            self.save()
        self.report(first_step)

    def record(self, fresh: list[Tensor]) -> None:
        """Move the losses of the last steps into the history, and stop if one of them is not finite."""
        first = len(self.history.losses)
        losses = torch.stack(fresh) / (self.recipe.batch_size * SIZE * SIZE) if fresh else torch.empty(0)
        for i, loss in enumerate(losses.tolist()):
            if not math.isfinite(loss):
                self.fail(first + i, f"the loss is {loss}")
            self.history.losses.append(loss)
        fresh.clear()

    def fail(self, step: int, what: str) -> None:
        message = (
            f"{what} at step {step + 1} with learning rate {self.recipe.rate_at(step, self.steps):g}: try a lower one"
        )
        if self.checkpoint and self.checkpoint.is_file():
            message += f". The last good checkpoint is {shown(self.checkpoint)}"
        raise FloatingPointError(message)

    def header(self) -> dict:
        return {
            "kind": "training checkpoint",
            "recipe": asdict(self.recipe),
            "seed": self.seed,
            "images": len(self.pairs.images),
            "step": self.step,
            "steps": self.steps,
            "losses": self.history.losses,
        }

    def save(self) -> None:
        # A loss can be finite while the step it led to was not, so the weights themselves are looked at.
        if not all(torch.isfinite(p).all() for p in self.model.parameters()):
            self.fail(self.step - 1, "a weight is no longer finite")
        if self.checkpoint is None:
            return
        try:
            save_training(
                self.checkpoint,
                self.model,
                self.engine.averaged,
                self.engine.optimizer,
                self.pairs.noise.get_state(),
                self.header(),
            )
        except OSError as error:  # hours of training are worth more than this file: say so and go on
            warnings.warn(f"no checkpoint of step {self.step}: {error}", stacklevel=2)

    def restore(self) -> None:
        """Put weights, moments, generator, step and losses back as the checkpoint has them."""
        header, mine = read_tensors(self.checkpoint)[1], self.header()
        if header.get("kind") != mine["kind"]:
            raise ValueError(f"{shown(self.checkpoint)} holds no training checkpoint: use another checkpoint=")
        # A constant learning rate may go on for longer than was planned; a cycle is made for one length.
        fixed = ["seed", "images"] + ["steps"] * self.recipe.one_cycle
        differs = [f"{k} {header[k]} there, {mine[k]} here" for k in fixed if header[k] != mine[k]]
        differs += [
            f"{k} {header['recipe'].get(k)} there, {v} here"
            for k, v in mine["recipe"].items()
            if k not in ("name", "periods") and header["recipe"].get(k) != v
        ]
        if differs:
            raise ValueError(
                f"{shown(self.checkpoint)} is of another training ({'; '.join(differs)}): "
                "delete it or give another checkpoint="
            )
        noise = load_training(self.checkpoint, self.model, self.engine.averaged, self.engine.optimizer)
        self.pairs.noise.set_state(noise)
        self.step, self.history.losses = header["step"], header["losses"]

    def report(self, first_step: int) -> None:
        last = self.history.losses[-100:]
        took = self.step - first_step
        rate = took * self.recipe.batch_size / max(self.history.seconds, 1e-9)
        stopped = self.history.interrupted or self.history.out_of_time
        state = "interrupted" if self.history.interrupted else "out of time" if stopped else "done"
        line = f"{state} at step {self.step:,} of {self.steps:,}: {rate:,.0f} images/s, {self.history.seconds:.0f} s"
        if last:
            line += f", loss per pixel {sum(last) / len(last):.4f} (mean of the last {len(last)} steps)"
        if self.checkpoint and stopped:
            line += f"; resume=True continues from {shown(self.checkpoint)}"
        print(line)
