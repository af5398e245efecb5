"""What needs no notebook: ``python -m iadb_helpers train``, ``sample``, ``classifier``, ``gaussian`` or ``page``."""

import argparse
from dataclasses import asdict, replace

import torch

from iadb_helpers import images
from iadb_helpers.data import SIZE, all_images, load_mnist
from iadb_helpers.doctor import add_doctor_command
from iadb_helpers.evaluation.classifier import train_classifier
from iadb_helpers.evaluation.features import features_path, save_classifier
from iadb_helpers.explorer.page import add_page_command
from iadb_helpers.guidance import guided, load_gaussian, save_gaussian
from iadb_helpers.machine.command_line import path, positive, run, seed, subcommands, weights_file, whole_number
from iadb_helpers.machine.device import pick_device
from iadb_helpers.machine.files import check_writable, display_path, results_dir, write_together
from iadb_helpers.machine.interrupts import ENDING, Interrupt
from iadb_helpers.machine.locks import reserved
from iadb_helpers.machine.processes import Processes, together
from iadb_helpers.machine.profile import profile
from iadb_helpers.machine.tensor_files import read_header, sha256
from iadb_helpers.recipes import RECIPES
from iadb_helpers.sampling import METHODS, SCHEDULES, sample
from iadb_helpers.trainer import train
from iadb_helpers.unet import UNet
from iadb_helpers.weights import chosen_weights, load_weights, save_weights, training_card
from iadb_helpers.weights.files import check_place

MOST_STEPS, MOST_DIGITS = 10_000, 4_096  # of ``sample``: all states are kept, for the animation
MOST_PERIODS, MOST_TRAINING_STEPS = 1_000_000, 1_000_000_000
MOST_VALUES = 1 << 30  # floats in these states: 4 GB


def train_command(args: argparse.Namespace) -> int:
    """Train a network and save its weights with their card; returns the exit status.

    Of the processes that torchrun has started all train, and the first speaks and writes.
    """
    with together() as processes:
        return _train(args, processes)


def _train(args: argparse.Namespace, processes: Processes) -> int:
    device = pick_device(args.device)
    work = profile(device)
    out = args.out or results_dir() / "weights.safetensors"
    checkpoint = args.checkpoint or out.with_suffix(".training.safetensors")
    if checkpoint.resolve() == out.resolve():
        raise ValueError(f"the checkpoint and the weights must be two files, got {display_path(out)} for both")
    if args.start and args.start.resolve() == out.resolve():
        raise ValueError(f"--start and --out must be two files, got {display_path(out)} for both")
    check_place(out)
    recipe = RECIPES[args.recipe or work.recipe]
    max_steps = args.max_steps
    if args.periods is not None:
        recipe = replace(recipe, periods=args.periods)
    elif args.recipe is None and max_steps is None:  # nothing was asked for: what suits the device
        max_steps = work.max_steps
    if args.learning_rate is not None:
        recipe = replace(recipe, learning_rate=args.learning_rate)
    torch.manual_seed(args.seed)
    model = load_weights(args.start, "cpu") if args.start else UNet()
    started_from = sha256(args.start) if args.start else None
    if read_header(checkpoint).get("kind") and not args.resume:
        print(f"{display_path(checkpoint)} will be replaced after the first period; --resume would go on from it")
    dataset = load_mnist()
    # A signal to end waits for the weights, too.
    with reserved(out if processes.first else None), Interrupt(ENDING) as ending:
        history = train(
            model, dataset, recipe=recipe, device=device, max_steps=max_steps, max_seconds=args.max_seconds,
            seed=args.seed, origin=started_from, checkpoint=checkpoint, resume=args.resume,
        )  # fmt: skip
        if processes.first and not history.interrupted:
            card = training_card(asdict(recipe), args.seed, dataset, history.losses, device)
            if started_from:
                card["started_from_sha256"] = started_from
            if processes.count > 1:
                card["processes"] = processes.count
            try:
                save_weights(model, out, card)
            except OSError as error:  # the disk was not full when the training began
                advice = "and no checkpoint could be written either"
                if history.saved:
                    held = f"{history.saved:,} of {len(history.losses):,} steps"
                    advice = f"but {display_path(checkpoint)} holds {held}: make room, and use --resume"
                raise OSError(f"{error}, {advice}") from error
            print(f"weights: {display_path(out)}, SHA-256 {sha256(out)}")
    ending.pass_on()
    return 130 if history.interrupted else 0  # the shell's number for an interrupt


def sample_command(args: argparse.Namespace) -> int:
    """Draw digits and write them as a picture and an animation; returns the exit status."""
    if (args.steps + 1) * args.count * SIZE**2 > MOST_VALUES:
        raise ValueError(f"{args.count:,} digits in {args.steps:,} steps are over 4 GB: take fewer of one")
    weights = args.weights or chosen_weights()
    device = pick_device(args.device)
    model = load_weights(weights, device)
    folder = args.out or results_dir()
    picture, animation = folder / "generated_mnist.png", folder / "generated_mnist.gif"
    check_writable(picture, animation)
    images.check_gif(args.count, args.columns)
    x0 = torch.randn(args.count, 1, SIZE, SIZE, generator=torch.Generator().manual_seed(args.seed)).to(device)
    tangent = guided(model, load_gaussian(device)) if args.guided else model
    states = sample(tangent, x0, args.steps, trajectory=True, method=args.method, schedule=args.schedule)
    write_together({picture: images.png(states[-1], args.columns), animation: images.gif(states, args.columns)})
    print(f"weights: {display_path(weights)}, SHA-256 {sha256(weights)}")
    print(f"{args.count} digits in {args.steps} steps: {display_path(picture)} and .gif")
    return 0


def classifier_command(args: argparse.Namespace) -> int:
    """Train the classifier and save it with its card and its features of real digits; returns the exit status."""
    out = args.out or results_dir() / "classifier.safetensors"
    check_place(out)
    check_writable(features_path(out, train=True), features_path(out, train=False))
    training, test = load_mnist(), load_mnist(train=False)
    classifier = train_classifier(all_images(training), training.targets)
    card = save_classifier(classifier, out, training, test)
    print(f"right on {card['test_accuracy']:.2%} of {len(test):,} test digits")
    print(f"weights: {display_path(out)}, SHA-256 {card['sha256']}")
    return 0


def gaussian_command(args: argparse.Namespace) -> int:
    """Fit the Gaussian that guidance leads away from, and save it with its card; returns the exit status."""
    out = args.out or results_dir() / "gaussian.safetensors"
    check_place(out)
    save_gaussian(load_mnist(), out)
    print(f"{display_path(out)}, SHA-256 {sha256(out)}")
    return 0


def _parser() -> argparse.ArgumentParser:
    parser, commands = subcommands("python -m iadb_helpers", "What needs no notebook.")
    chance = argparse.ArgumentParser(add_help=False)
    chance.add_argument("--seed", type=seed, default=0, help="of all that is drawn at random (default: 0)")
    chance.add_argument("--device", help="cuda, mps or cpu (default: the best there is)")
    command = commands.add_parser("train", parents=[chance], help="train a network on MNIST and save its weights")
    command.set_defaults(run=train_command)
    command.add_argument("--recipe", choices=RECIPES, help="default: this machine's, as long as suits it")
    command.add_argument(
        "--periods", type=whole_number(MOST_PERIODS), help="passes over the data (default: the recipe's)"
    )
    command.add_argument("--max-steps", type=whole_number(MOST_TRAINING_STEPS), help="stop after this many steps")
    command.add_argument("--max-seconds", type=positive, help="stop after this time, with the averaged weights so far")
    command.add_argument("--learning-rate", type=positive, help="the highest one, in a cycle (default: the recipe's)")
    command.add_argument("--start", type=path, help="weights to begin with, instead of random ones")
    command.add_argument("--out", type=weights_file, help="the weights file (default: results/weights.safetensors)")
    command.add_argument(
        "--checkpoint", type=weights_file, help="default: beside the weights, weights.training.safetensors"
    )
    command.add_argument("--resume", action="store_true", help="continue from the checkpoint, where there is one")
    command = commands.add_parser("sample", parents=[chance], help="draw digits, as a picture and an animation")
    command.set_defaults(run=sample_command)
    command.add_argument("--weights", type=path, help="default: IADB_WEIGHTS, else the weights that ship")
    command.add_argument(
        "--steps", type=whole_number(MOST_STEPS), default=128, help="T, the number of sampling steps (default: 128)"
    )
    command.add_argument("--method", choices=METHODS, default="euler", help="how a step is taken (default: euler)")
    command.add_argument("--schedule", choices=SCHEDULES, default="uniform", help="where the steps lie in α")
    command.add_argument("--guided", action="store_true", help="away from the Gaussian that ships: better digits")
    command.add_argument("--count", type=whole_number(MOST_DIGITS), default=64, help="how many digits (default: 64)")
    command.add_argument(
        "--columns", type=whole_number(MOST_DIGITS), default=8, help="digits a row of the picture (default: 8)"
    )
    command.add_argument("--out", type=path, help="folder for generated_mnist.png and .gif (default: results)")
    command = commands.add_parser("classifier", help="train the classifier that digits are measured with, on a CPU")
    command.set_defaults(run=classifier_command)
    command.add_argument("--out", type=weights_file, help="the weights file (default: results/classifier.safetensors)")
    command = commands.add_parser("gaussian", help="fit the Gaussian that guidance leads away from")
    command.set_defaults(run=gaussian_command)
    command.add_argument("--out", type=weights_file, help="the file (default: results/gaussian.safetensors)")
    add_page_command(commands)
    add_doctor_command(commands)
    return parser


def main(arguments: list[str] | None = None) -> int:
    """Run a command (None: of the process's own arguments); returns the exit status."""
    return run(_parser(), arguments)
