"""Tests of the compiled kernel: that it is what its source becomes."""

from tools.kernel import KERNEL, compile_kernel


def test_the_kernel_that_ships_is_its_source_compiled(tmp_path):
    compile_kernel(tmp_path / "kernel.wasm")
    assert (tmp_path / "kernel.wasm").read_bytes() == KERNEL.read_bytes()
