"""What needs no notebook: ``python -m iadb_helpers train``, ``… sample``, ``… judge`` and ``… gaussian``."""

import argparse
import sys
from dataclasses import replace
from pathlib import Path

import torch

from iadb_helpers import checkpoints, images, runtime
from iadb_helpers.data import all_images, load_mnist
from iadb_helpers.guidance import guided, load_gaussian, save_gaussian
from iadb_helpers.judge import save_judge, train_judge
from iadb_helpers.recipes import RECIPES, card
from iadb_helpers.sampling import sample
from iadb_helpers.training import train
from iadb_helpers.unet import UNet


def train_command(args: argparse.Namespace) -> int:
    """Train a network and save its weights with their card; returns the exit status."""
    device = runtime.pick_device(args.device)
    work = runtime.profile()
    recipe = RECIPES[args.recipe or work.recipe]
    max_steps = args.max_steps
    if args.periods is not None:
        recipe = replace(recipe, periods=args.periods)
    elif args.recipe is None and max_steps is None:  # nothing was asked for: what fits this machine
        max_steps = work.max_steps
    if args.learning_rate is not None:
        recipe = replace(recipe, learning_rate=args.learning_rate)
    dataset = load_mnist()
    torch.manual_seed(args.seed)
    model = checkpoints.load_weights(args.start, device) if args.start else UNet()
    started_from = checkpoints.sha256(args.start) if args.start else None  # now: the result may go to the same file
    out = args.out or runtime.results_dir() / "weights.safetensors"
    checkpoint = out.with_name("training.safetensors")
    history = train(
        model, dataset, recipe=recipe, device=device, max_steps=max_steps,
        max_seconds=args.max_seconds, seed=args.seed, checkpoint=checkpoint, resume=args.resume,
    )  # fmt: skip
    if history.interrupted:
        return 130  # the shell's number for an interrupt; the checkpoint holds all that was done
    written = card(recipe, args.seed, dataset, history, device)
    if started_from:
        written["started_from_sha256"] = started_from
    checkpoints.save_weights(model, out, written)
    print(f"weights: {runtime.shown(out)}, SHA-256 {checkpoints.sha256(out)}")
    return 0


def sample_command(args: argparse.Namespace) -> int:
    """Draw 64 digits and write them as a picture and an animation; returns the exit status."""
    weights = args.weights or checkpoints.chosen_weights()
    device = runtime.pick_device(args.device)
    model = checkpoints.load_weights(weights, device)
    x0 = torch.randn(64, 1, 32, 32, generator=torch.Generator().manual_seed(args.seed)).to(device)
    tangent = guided(model, load_gaussian(device)) if args.guided else model
    states = sample(tangent, x0, args.steps, trajectory=True)
    folder = args.out or runtime.results_dir()
    folder.mkdir(parents=True, exist_ok=True)
    images.grid(states[-1]).save(folder / "generated_mnist.png")
    images.save_gif(states, folder / "generated_mnist.gif")
    print(f"weights: {runtime.shown(weights)}, SHA-256 {checkpoints.sha256(weights)}")
    print(f"64 digits in {args.steps} steps: {runtime.shown(folder)}/generated_mnist.png and .gif")
    return 0


def judge_command(args: argparse.Namespace) -> int:
    """Train the judge and save it with its card and its features of real digits; returns the exit status."""
    training, test = load_mnist(), load_mnist(train=False)
    judge = train_judge(all_images(training), training.targets)
    out = args.out or runtime.results_dir() / "judge.safetensors"
    measured = save_judge(judge, out, training, test)
    print(f"right on {measured['test_accuracy']:.2%} of {len(test):,} test digits")
    print(f"weights: {runtime.shown(out)}, SHA-256 {measured['sha256']}")
    return 0


def gaussian_command(args: argparse.Namespace) -> int:
    """Fit the Gaussian that guidance leads away from, and save it with its card; returns the exit status."""
    out = args.out or runtime.results_dir() / "gaussian.safetensors"
    save_gaussian(load_mnist(), out)
    print(f"{runtime.shown(out)}, SHA-256 {checkpoints.sha256(out)}")
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m iadb_helpers", description=__doc__.split(":")[0])
    commands = parser.add_subparsers(required=True, metavar="COMMAND")
    command = commands.add_parser("train", help="train a network on MNIST and save its weights")
    command.set_defaults(run=train_command)
    command.add_argument("--recipe", choices=RECIPES, help="default: this machine's, as long as suits it")
    command.add_argument("--periods", type=int, help="passes over the data (default: the recipe's)")
    command.add_argument("--max-steps", type=int, help="stop after this many steps")
    command.add_argument("--max-seconds", type=float, help="stop after this time, with the averaged weights so far")
    command.add_argument("--learning-rate", type=float, help="the highest one, in a cycle (default: the recipe's)")
    command.add_argument("--start", type=Path, help="weights to begin with, instead of random ones")
    command.add_argument("--seed", type=int, default=0)
    command.add_argument("--device", help="cuda, mps or cpu (default: the best there is)")
    command.add_argument("--out", type=Path, help="the weights file (default: results/weights.safetensors)")
    command.add_argument("--resume", action="store_true", help="continue from training.safetensors beside the weights")
    command = commands.add_parser("sample", help="draw 64 digits, as generated_mnist.png and generated_mnist.gif")
    command.set_defaults(run=sample_command)
    command.add_argument("--weights", type=Path, help="default: IADB_WEIGHTS, else the weights that ship")
    command.add_argument("--steps", type=int, default=128, help="T, the number of deblending steps (default: 128)")
    command.add_argument("--guided", action="store_true", help="away from the Gaussian that ships: better digits")
    command.add_argument("--seed", type=int, default=0, help="of the noise")
    command.add_argument("--device", help="cuda, mps or cpu (default: the best there is)")
    command.add_argument("--out", type=Path, help="folder (default: results)")
    command = commands.add_parser("judge", help="train the classifier that digits are measured with, on a CPU")
    command.set_defaults(run=judge_command)
    command.add_argument("--out", type=Path, help="the weights file (default: results/judge.safetensors)")
    command = commands.add_parser("gaussian", help="fit the Gaussian that guidance leads away from")
    command.set_defaults(run=gaussian_command)
    command.add_argument("--out", type=Path, help="the file (default: results/gaussian.safetensors)")
    return parser


def main(arguments: list[str] | None = None) -> int:
    try:
        args = _parser().parse_args(arguments)
        return args.run(args)
    except (ValueError, OSError, RuntimeError, FloatingPointError, ModuleNotFoundError) as error:
        print(f"error: {error}", file=sys.stderr)
        return 1


if __name__ == "__main__":
    sys.exit(main())
