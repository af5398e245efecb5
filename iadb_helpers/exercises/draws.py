"""What the task of lesson 04 that draws a batch looks at, and the words for what it may find."""

from collections.abc import Callable, Sequence

import torch
from torch import Generator, Tensor
from torch.utils._python_dispatch import TorchDispatchMode

from iadb_helpers.data import to_model_range
from iadb_helpers.exercises.checking import Told
from iadb_helpers.exercises.elsewhere import ELSEWHERE

BROUGHT_HERE = "a value is brought to the CPU: .cpu(), .tolist(), .item() and a loop over the index do that."
NO_THREE = "it should return three tensors: x0, x1 and alpha."
AS_STORED = "x1 still has 28 × 28 pixels; the network takes another size and range."
ONE_ALPHA = "there is only one α for the whole batch; every digit needs its own."
LEFT_HERE = "made on the CPU, and wanted where the images are: "
INDEX_HERE = "the index is made on the CPU, so every batch has to send it over."
SENT_OVER = "noise or α is made on the CPU, so every batch has to send it over."
ALL_CONVERTED = "every batch converts all the images, and uses only a few of them."
SWAPPED = "the order is wrong: x0, x1, alpha."
OTHER_RANGE = "x1 holds none of the digits in the range that the network takes."
FIRST_DIGITS = "these are always the first digits; draw them."
NOT_SEEDED = "drawn without the generator, so the same seed gives others: "
STUCK = "another seed should give others, and gives the same: "
ONE_NOISE = "all digits have the same noise; each needs its own."
ONE_A_DIGIT = "all pixels of a digit have the same noise; each needs its own."
UNIFORM_NOISE = "the noise is uniform, and normal noise is wanted: one letter is missing."
OTHER_NOISE = "the noise is not normal, with mean 0 and deviation 1."
SAME_ALPHA = "all digits have the same α; each needs its own."
NORMAL_ALPHA = "α is normal, and should be even between 0 and 1: one letter too many."
UNEVEN_ALPHA = "α is not spread evenly between 0 and 1."
ONE_DIGIT = "all digits of the batch are the same one; draw each of them."
NO_TUPLE = "torch.randint wants a number to stay below, and how many to draw as a tuple: (batch_size,)."
NEVER_DRAWN = "some of the images can never be drawn."


def batch_cases() -> list[tuple]:
    generator = Generator().manual_seed(6)
    images = torch.randint(256, (250, 28, 28), generator=generator, dtype=torch.uint8)
    return [(images, 200, device) for device in ("cpu", ELSEWHERE)]


class Watch(TorchDispatchMode):
    """Notes what is made: on the CPU, whole numbers and others, and as many pixels as all images have."""

    def __init__(self, images: Tensor) -> None:
        super().__init__()
        self.images, self.whole_on_cpu, self.other_on_cpu, self.all_converted = images, False, False, False

    def __torch_dispatch__(self, function, types, arguments=(), more=None):
        made = function(*arguments, **(more or {}))
        if isinstance(made, Tensor):
            self.whole_on_cpu |= made.device.type == "cpu" and not made.is_floating_point()
            self.other_on_cpu |= made.device.type == "cpu" and made.is_floating_point()
            as_many = made.shape[:1] == self.images.shape[:1] and made.numel() >= self.images.numel()
            self.all_converted |= as_many and made.is_floating_point()
        return made


def run_batch(answer: Callable, images: Tensor, batch_size: int, device: str) -> object:
    """Nothing where there is no fault to tell; what was drawn is judged so that its order does not matter.

    Raises:
        Told: for the first fault.
    """
    watch = Watch(images)
    try:
        with watch:
            drawn = answer(images.to(device), batch_size, Generator().manual_seed(3))
    except (NotImplementedError, RuntimeError, TypeError) as error:
        if device == ELSEWHERE and any(words in str(error) for words in ("meta tensor", "numpy", "aten::")):
            raise Told(BROUGHT_HERE) from error
        if "randint() received an invalid combination" in str(error):  # PyTorch lists four signatures
            raise Told(NO_TUPLE) from error
        raise
    if drawn is None:
        return None
    if not isinstance(drawn, tuple | list) or len(drawn) != 3 or not all(isinstance(x, Tensor) for x in drawn):
        raise Told(NO_THREE)
    wrong = of_shapes(drawn, batch_size)
    if not wrong:
        wrong = of_places(drawn, watch) if device == ELSEWHERE else of_values(answer, drawn, images, batch_size)
    if wrong:
        raise Told(wrong)
    return 0.0


def of_shapes(drawn: Sequence[Tensor], batch_size: int) -> str | None:
    shapes = [list(x.shape) for x in drawn]
    if shapes == [[batch_size, 1, 32, 32]] * 2 + [[batch_size]]:
        return None
    if shapes[1][-2:] == [28, 28]:
        return AS_STORED
    if shapes[2] in ([], [1]):
        return ONE_ALPHA
    return (
        f"it makes x0 of {shapes[0]}, x1 of {shapes[1]}, alpha of {shapes[2]}. "
        f"Wanted are {[batch_size, 1, 32, 32]} for x0 and x1, and {[batch_size]} for alpha."
    )


def of_places(drawn: Sequence[Tensor], watch: Watch) -> str | None:
    left = [name for name, x in zip(("x0", "x1", "alpha"), drawn, strict=True) if not x.is_meta]
    if left:
        return LEFT_HERE + ", ".join(left) + "."
    if watch.whole_on_cpu:
        return INDEX_HERE
    if watch.other_on_cpu:
        return SENT_OVER
    return ALL_CONVERTED if watch.all_converted else None


def of_values(answer: Callable, drawn: Sequence[Tensor], images: Tensor, batch_size: int) -> str | None:
    x0, x1, alpha = (x.float() for x in drawn)
    which = nearest(x1, images)
    if which is None:
        return OTHER_RANGE if nearest(x0, images) is None else SWAPPED
    if len(which.unique()) == 1:
        return ONE_DIGIT
    if torch.equal(which, torch.arange(batch_size)):
        return FIRST_DIGITS
    again, other = (answer(images, batch_size, Generator().manual_seed(seed)) for seed in (3, 4))
    names = ("the noise", "the choice of digits", "α")
    for made, equal, words in ((again, False, NOT_SEEDED), (other, True, STUCK)):
        those = [name for name, *pair in zip(names, drawn, made, strict=True) if torch.equal(*pair) == equal]
        if those:
            return words + ", ".join(those) + "."
    if bool((x0 == x0[:1]).all()):
        return ONE_NOISE
    if bool((x0 == x0[..., :1, :1]).all()):
        return ONE_A_DIGIT
    if max(abs((x0 < -1).float().mean() - 0.159), abs((x0 > 1).float().mean() - 0.159)) > 0.02:
        return UNIFORM_NOISE if x0.min() >= 0 else OTHER_NOISE
    if bool((alpha == alpha[:1]).all()):
        return SAME_ALPHA
    if alpha.min() < 0 and alpha.max() > 1:
        return NORMAL_ALPHA
    if alpha.min() < 0 or alpha.max() > 1 or abs(alpha.mean() - 0.5) > 0.1 or abs(alpha.std() - 0.29) > 0.1:
        return UNEVEN_ALPHA
    few = torch.cat([answer(images[:8], 4, Generator().manual_seed(seed))[1] for seed in range(60)])
    which = nearest(few.float(), images[:8])
    return None if which is not None and len(which.unique()) == 8 else NEVER_DRAWN


def nearest(x: Tensor, images: Tensor) -> Tensor | None:
    """Which of the images each x is; None where one is none of them."""
    apart, which = torch.cdist(x.flatten(1), to_model_range(images).flatten(1)).min(dim=1)
    return which if apart.max() < 0.1 else None
