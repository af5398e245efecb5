"""What computes: device, precision, threads, and room on the disk."""

from __future__ import annotations

import hashlib
import os
import shutil
import threading
import time

from iadb_helpers.doctor.finding import COURSE, Finding, fault, note, ok, python_command, set_command, unset_command

BUSY = 0.35  # of a core that this process asked for and did not get: less is what the system itself takes
LEAST_DISK, LITTLE_DISK = 0.2e9, 1e9  # bytes free: MNIST and what the lessons write; and an update besides
TOLERANCE = 0.05  # bfloat16 keeps 8 bits


def device() -> Finding:
    """Whether the device that the lessons would choose computes."""
    import torch

    from iadb_helpers.machine.device import describe_machine, pick_device
    from iadb_helpers.machine.profile import profile

    chosen = pick_device()
    try:
        work = profile(chosen).name
    except ValueError as error:
        return fault(str(error), unset_command("IADB_PROFILE"))
    try:
        total = torch.ones(64, 64, device=chosen).matmul(torch.ones(64, 64, device=chosen)).sum().item()
    except RuntimeError as error:
        reason = str(error).strip().partition("\n")[0]
        return fault(f"{chosen} is there and does not compute: {reason}", set_command("CUDA_VISIBLE_DEVICES", "-1"))
    if total != 64**3:
        return fault(f"{chosen} computes wrongly", set_command("CUDA_VISIBLE_DEVICES", "-1"))
    words = f"{describe_machine(chosen)}; profile {work}"
    if chosen.type == "cpu" and shutil.which("nvidia-smi"):
        return note(f"{words}; there is an NVIDIA GPU, and this PyTorch does not use it (docs/gpu.md)")
    return ok(words)


def precision() -> Finding:
    """Whether a layer gives in the chosen precision what it gives in float32."""
    import torch

    from iadb_helpers.machine.device import has_bfloat16, in_precision, pick_device

    chosen = pick_device()
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        layer, x = torch.nn.Conv2d(64, 64, 3).to(chosen), torch.randn(1, 64, 8, 8).to(chosen)
    with torch.inference_mode():
        error = (in_precision(layer)(x).float() - layer(x)).abs().max().item()
    if not error < TOLERANCE:
        return fault(
            f"bfloat16 on {chosen} is off by {error:.2g}, so use float32 on this machine",
            'in Python: train(..., precision="float32"), sample(..., precision="float32")',
        )
    if has_bfloat16(chosen):
        return ok("bfloat16, which this processor multiplies by itself")
    return ok("float32, because this processor has no bfloat16: training takes longer than the lessons say")


def threads() -> Finding:
    """How many threads compute, and whether other programs leave them the cores."""
    import torch

    from iadb_helpers.machine.threads import Threads

    try:
        fixed = Threads(torch.device("cpu")).fixed
    except ValueError as error:
        return fault(str(error), unset_command("IADB_THREADS"))
    wanted = fixed or torch.get_num_threads()
    free = free_cores(wanted)
    words = f"{wanted} by IADB_THREADS" if fixed else f"{wanted}"
    words += f" of {os.cpu_count()} cores"
    if free > wanted - BUSY:
        return ok(f"{words}, which are free")
    words += f", but this process gets {free:.1f} cores: another program computes, or a limit is set"
    if fixed:
        return note(words, set_command("IADB_THREADS", str(max(1, round(free)))))
    return note(f"{words}. train and sample use fewer threads by themselves; your own loops do not")


def free_cores(count: int, seconds: float = 0.4) -> float:
    """How many cores this process gets while it computes on ``count`` threads."""
    block = bytes(1 << 20)  # large enough for hashlib to let the other threads run
    began, used = time.perf_counter(), time.process_time()

    def compute() -> None:
        while time.perf_counter() < began + seconds:
            hashlib.sha256(block).digest()

    workers = [threading.Thread(target=compute) for _ in range(count)]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()
    return (time.process_time() - used) / (time.perf_counter() - began)


def disk() -> Finding:
    """Whether there is room for what the lessons download and write."""
    free = shutil.disk_usage(COURSE).free
    words = f"{free / 1e9:.1f} GB free where the course lies"
    emptied = f"{python_command()} -m pip cache purge"
    if free < LEAST_DISK:
        return fault(f"{words}: MNIST and the lessons' results need {LEAST_DISK / 1e9:g} GB", emptied)
    return note(f"{words}, which is little", emptied) if free < LITTLE_DISK else ok(words)
