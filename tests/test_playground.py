"""Tests of the playground's script without a browser: the same numbers as the package's, in Node.js."""

import base64
import math

import numpy as np
import pytest
import torch
from torch import Tensor

from iadb_helpers import load_pretrained, sample, to_display
from iadb_helpers.evaluation.classifier import load_classifier
from iadb_helpers.explorer.packing import packed
from iadb_helpers.explorer.page import MODULES, PLAYGROUND, WORKER, flat
from iadb_helpers.explorer.pictures import LARGEST_TANGENT, signed_colours
from iadb_helpers.guidance import guided, load_gaussian
from iadb_helpers.sampling import invert
from tests.node import run

LOADING = "const { tangent, classify } = await load(given.packed); const x = Float32Array.from(given.x);"
# A tangent that both sides can compute to the last bits: it bends the path, and depends on α.
BENT = "async (x, alpha) => x.map(value => 1 - value * alpha)"


def bent(x: Tensor, alpha: Tensor) -> Tensor:
    return 1 - x * alpha.reshape(-1, 1, 1, 1)


def halved(module):
    """A network with its weights rounded as the page holds them."""
    return module.half().float()


@pytest.fixture(scope="module")
def given():
    kernel = base64.b64encode((PLAYGROUND / "kernel.wasm").read_bytes()).decode()
    x = torch.randn(2, 1, 32, 32, generator=torch.Generator().manual_seed(0))
    return {"packed": packed(load_pretrained("cpu")) | {"kernel": kernel}, "x": x.flatten().tolist()}


def tensor(values: object) -> Tensor:
    return torch.tensor(values, dtype=torch.float32).reshape(-1, 1, 32, 32)


@pytest.mark.parametrize("alpha", [0.0, 0.3, 1.0])
def test_d_is_pytorchs(given, alpha):
    found = tensor(run({"worker": "load"}, f"{LOADING} return [...tangent(x.subarray(0, 1024), {alpha}, 0)]", given))
    with torch.no_grad():
        expected = halved(load_pretrained("cpu"))(tensor(given["x"])[:1], alpha)
    torch.testing.assert_close(found, expected, atol=2e-5, rtol=0)


def test_guidance_is_the_packages(given):
    found = tensor(run({"worker": "load"}, f"{LOADING} return [...tangent(x.subarray(1024), 0.2, 0.4)]", given))
    model, gaussian = halved(load_pretrained("cpu")), halved(load_gaussian("cpu"))
    tangent = guided(model, gaussian, 0.4, precision="float32")
    torch.testing.assert_close(found, tangent(tensor(given["x"])[1:], torch.tensor([0.2])), atol=5e-5, rtol=0)


def test_the_classifier_is_the_packages(given):
    digit = sample(load_pretrained("cpu"), tensor(given["x"])[:1], 8)
    given = given | {"x": [*digit.flatten().tolist(), *given["x"][:1024]]}
    found = run(
        {"worker": "load"}, f"{LOADING} return [0, 1024].map(i => [...classify(x.subarray(i, i + 1024))])", given
    )
    with torch.no_grad():
        expected = halved(load_classifier("cpu"))(tensor(given["x"])).softmax(1)
    torch.testing.assert_close(torch.tensor(found), expected, atol=1e-5, rtol=0)


def test_many_steps_end_within_a_grey_level_of_pytorchs(given):
    tangents = "async (x, alpha) => tangent(x, alpha, 0)"
    body = f"{LOADING} return [...(await path({tangents}, x.slice(0, 1024), {{ steps: 128 }})).at(-1).x]"
    found = tensor(run({"worker": "load", "sampling": "path"}, body, given))
    model = halved(load_pretrained("cpu"))
    expected = sample(model, tensor(given["x"])[:1], 128, precision="float32")
    assert (to_display(found) - to_display(expected)).abs().max() <= 1 / 255


@pytest.mark.parametrize("method", ["euler", "ab2"])
@pytest.mark.parametrize("schedule", ["uniform", "early"])
def test_the_samplers_are_the_packages(given, method, schedule):
    settings = f'{{ steps: 7, method: "{method}", schedule: "{schedule}" }}'
    body = f"return (await path({BENT}, Float32Array.from(given.x), {settings})).map(({{ x }}) => [...x])"
    found = torch.stack([tensor(x) for x in run({"sampling": "path"}, body, given)])
    expected = sample(bent, tensor(given["x"]), 7, True, method=method, schedule=schedule)
    torch.testing.assert_close(found, expected, atol=1e-5, rtol=0)


def test_inversion_is_the_packages(given):
    body = f"return [...(await inverted({BENT}, Float32Array.from(given.x), {{ steps: 9 }}))]"
    found = tensor(run({"sampling": "inverted"}, body, given))
    torch.testing.assert_close(found, invert(bent, tensor(given["x"]), 9), atol=1e-5, rtol=0)


def test_noise_is_fixed_by_its_seed():
    """The same arithmetic written a second time, and the moments of N(0, 1)."""
    found = np.array(run({"noise": "noise"}, "return [...noise(5, 40)]"), dtype=np.float32)
    assert found[:1024].tolist() == run({"noise": "noise"}, "return [...noise(5, 1)]")
    assert found[:64].tolist() == [np.float32(value) for value in written_again(5, 64)]
    x = found.astype(float)
    assert abs(x.mean()) < 0.02 and abs(x.std() - 1) < 0.02 and abs((x**4).mean() - 3) < 0.2
    assert abs(np.corrcoef(x[:-1], x[1:])[0, 1]) < 0.02


def written_again(seed: int, n: int) -> list[float]:
    values, state = [], seed
    while len(values) < n:
        pair = []
        for _ in range(2):
            state = z = (state + 0x9E3779B9) % 2**32
            z = (z ^ (z >> 16)) * 0x21F0AAAD % 2**32
            z = (z ^ (z >> 15)) * 0x735A2D97 % 2**32
            pair.append((z ^ (z >> 15)) / 2**31 - 1)
        square = pair[0] ** 2 + pair[1] ** 2
        if 0 < square < 1:
            values += [value * math.sqrt(-2 * math.log(square) / square) for value in pair]
    return values


def test_of_many_requests_the_first_and_the_newest_are_answered():
    body = """
      const done = [], early = [];
      const ask = newest(async (value, outdated) => {
        await new Promise(resolve => setTimeout(resolve, 5));
        (outdated() ? early : done).push(value);
      });
      for (let i = 0; i < 9; i++) ask(i);
      await new Promise(resolve => setTimeout(resolve, 100));
      ask(9);
      await new Promise(resolve => setTimeout(resolve, 50));
      return { done, early };
    """
    assert run({"engine": "newest"}, body) == {"done": [8, 9], "early": [0]}


def test_a_link_brings_its_state_back():
    body = """
      const views = { scrub: { fields: Object.keys(FIELDS) }, other: { fields: [] } };
      const values = { seed: 4294967295, which: 15, alpha: 0.123456, T: 128, method: "euler", guided: false };
      const changed = rounded({ ...values, present: true });
      const state = { ...initial(), view: "scrub", ...changed };
      const { state: back, damaged } = read(write(state, views), views);
      return { state, back, damaged, alpha: back.alpha };
    """
    told = run({"state": "FIELDS, initial, read, rounded, write"}, body)
    assert told["back"] == told["state"] and told["damaged"] == [] and told["alpha"] == 0.1235


DAMAGED = [
    "alpha=abc", "alpha=2", "alpha=-1", "alpha=", "alpha=1e-1", "T=0", "T=1.5", "seed=99999999999", "method=heun",
    "guided=yes", "view=x", "view=constructor", "T=100", "guided=__proto__", "=1", "nothing=1", "toString=1",
]  # fmt: skip


@pytest.mark.parametrize("part", DAMAGED)
def test_a_damaged_part_of_a_link_is_named_and_the_rest_is_read(part):
    body = """
      const { state, damaged } = read(`#which=3&${given}`, { scrub: { fields: [] } });
      return { damaged, expected: { ...initial(), view: "scrub", which: 3 }, state };
    """
    told = run({"state": "initial, read"}, body, part)
    assert told["state"] == told["expected"] and told["damaged"] == [part.split("=")[0]]


@pytest.mark.parametrize("modules", [MODULES, WORKER])
def test_modules_share_one_scope_without_a_clash(modules):
    """As one module, in which a second declaration of a name is an error; none does anything when it is read."""
    source = flat(modules)
    assert "\nimport " not in source and "\nexport " not in source
    address = "data:text/javascript;base64," + base64.b64encode(source.encode()).decode()
    assert run({}, "return Object.keys(await import(given))", address) == []


def test_the_interface_says_what_is_wrong():
    body = """
      const engine = { tangents: async x => x.map(() => 0) };
      let calls = 0;
      const iadb = interface_(engine, () => (calls += 1));
      const said = [];
      const x = new Float32Array(1024);
      for (const call of [
        () => iadb.evaluate(new Float32Array(5), 0), () => iadb.evaluate(x.map(() => NaN), 0),
        () => iadb.evaluate(x, 2), () => iadb.sample(x, { steps: 0 }), () => iadb.sample(x, { method: "heun" }),
        () => iadb.sample(x, { schedule: "late" }), () => iadb.sample(x, { guidance: -1 }),
        () => iadb.invert(x, { steps: 1.5 }), () => iadb.noise(-1, 1), () => iadb.noise(0, 0),
        () => iadb.evaluate(x, "0.5"), () => iadb.evaluate(x, 1n), () => iadb.evaluate(null, 0), () => iadb.evaluate(),
        () => iadb.sample(x, 16), () => iadb.sample(x, null), () => iadb.invert(x, { step: 2 }),
        () => iadb.sample(x, { guidance: true }), () => iadb.evaluate("1".repeat(1024), 0),
      ]) said.push(await call().then(() => "", error => error.message));
      return { said, calls, states: (await iadb.sample(x, { steps: 3, trajectory: true })).length };
    """
    told = run({"interface": "interface_"}, body)
    names = ["x", "x", "alpha", "steps", "method", "schedule", "guidance", "steps", "seed", "n"]
    names += ["alpha", "alpha", "x", "x", "settings", "settings", "settings", "guidance", "x"]
    assert [said.split(" must be")[0] for said in told["said"]] == names
    assert told["calls"] == 19 and told["states"] == 4 * 1024


def test_lines_of_the_script_are_no_longer_than_the_packages():
    sources = [*PLAYGROUND.rglob("*.js"), *PLAYGROUND.glob("*.c")]
    lines = [(each.name, n, line) for each in sources for n, line in enumerate(each.read_text("utf-8").splitlines(), 1)]
    assert len(sources) > 20 and [(name, n) for name, n, line in lines if len(line) > 120] == []


def test_the_colours_of_d_are_the_packages():
    values = [share * LARGEST_TANGENT / 15 for share in range(-17, 18)]  # those that the package has
    found = run({"pictures": "signedColours"}, "return given.map(signedColours)", values)
    expected = signed_colours(torch.tensor(values).reshape(-1, 1, 1, 1)).flatten(1) * 255
    assert [rgb for *rgb, _ in found] == expected.round().int().tolist()
    assert {opacity for *_, opacity in found} == {255}
