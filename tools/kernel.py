"""Compiles the playground's kernel to WebAssembly with ziglang's compiler: ``python -m tools.kernel``."""

import subprocess
import sys
from pathlib import Path

from iadb_helpers.explorer.page import PLAYGROUND

SOURCE, KERNEL = PLAYGROUND / "kernel.c", PLAYGROUND / "kernel.wasm"
EXPORTS = ("conv", "conv_transposed", "conv_winograd", "__heap_base")  # from there on memory is free


def compile_kernel(out: Path) -> None:
    """Write the compiled kernel.

    Raises:
        subprocess.CalledProcessError: if it does not compile; the compiler has said why.
    """
    options = ["--target=wasm32-freestanding", "-O3", "-msimd128", "-nostdlib"]
    linked = ["--no-entry", "--import-memory", "--strip-all", *(f"--export={name}" for name in EXPORTS)]
    command = [sys.executable, "-m", "ziglang", "cc", *options, *(f"-Wl,{option}" for option in linked)]
    subprocess.run([*command, "-o", str(out), str(SOURCE)], check=True)
    out.chmod(0o644)  # the compiler takes it for a program


if __name__ == "__main__":
    compile_kernel(KERNEL)
    print(f"{KERNEL.name}: {KERNEL.stat().st_size:,} bytes")
