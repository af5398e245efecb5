"""The plane of the playground, in Node.js, against the exact tangent and what must hold of any two densities."""

import pytest
import torch

from iadb_helpers import blend
from iadb_helpers.exact import exact_tangent
from tests.node import run

SPREAD = 0.3  # of the preset "gaussian"
NAMES = "asDrawing, densityOf, drawPairs, drawingText, isShape, matched, meanDistance, placesAt, tangents, trajectory"


def in_plane(body: str, given: object = None):
    return run({"plane": NAMES}, body, given)


def pairs(values) -> torch.Tensor:
    return torch.tensor(values, dtype=torch.float64).reshape(-1, 2)


@pytest.fixture(scope="module")
def tangents():
    """At some α the blends of 200 pairs, their mean tangents, and the points that the tangents are means over."""
    body = """
      const [gaussian, letter] = ["gaussian", "letter"].map(densityOf);
      const ask = (start, target) => given.map(alpha => {
        const { x0, x1 } = drawPairs({ start, target }, 3), x = placesAt([x0, x1], alpha).subarray(0, 400);
        return { alpha, x: [...x], d: [...tangents(x, alpha, { start, target })] };
      });
      return { early: ask(gaussian, letter), late: ask(letter, gaussian), points: [...letter.points.subarray(0, 600)] };
    """
    return in_plane(body, [0, 0.2, 0.49, 0.5, 0.8, 0.99])


def check_near(x, d, expected):
    """The grid's height differs by a few thousandths from the bell's, and is 0 beyond the square."""
    gap = (d - expected)[x.norm(dim=1) < 0.5].norm(dim=1)
    assert len(gap) > 60 and gap.mean() < 0.0015 and gap.max() < 0.02, (gap.mean(), gap.max())


def test_the_mean_tangent_from_a_gaussian_to_some_points_is_the_exact_one(tangents):
    points = pairs(tangents["points"])
    for asked in (asked for asked in tangents["early"] if asked["alpha"] < 0.5):
        x, alpha = pairs(asked["x"]), asked["alpha"]
        check_near(x, pairs(asked["d"]), SPREAD * exact_tangent(x / SPREAD, alpha, points / SPREAD))
    assert len(points) == 300


def test_the_mean_tangent_from_some_points_to_a_gaussian_is_the_exact_one_backward(tangents):
    points = pairs(tangents["points"])
    for asked in (asked for asked in tangents["late"] if asked["alpha"] >= 0.5):
        x, alpha = pairs(asked["x"]), asked["alpha"]
        check_near(x, pairs(asked["d"]), -SPREAD * exact_tangent(x / SPREAD, 1 - alpha, points / SPREAD))


@pytest.mark.slow
def test_random_pairs_have_the_mean_pairs_tangent_and_blend_to_x():
    """The mean over 8,000 draws, within four standard errors and what 300 points leave of a density."""
    body = """
      const shapes = { start: densityOf("moons"), target: densityOf("ring") };
      const { x0, x1, uniform } = drawPairs(shapes, 1);
      return [0, 0.3, 0.6, 0.9].map(alpha => [0, 1, 2].map(i => {
        const x = placesAt([x0, x1], alpha).subarray(2 * i, 2 * i + 2);
        const many = Float64Array.from({ length: 16000 }, (_, k) => x[k % 2]);
        const mean = tangents(x, alpha, shapes), d = tangents(many, alpha, shapes, uniform);
        return { alpha, x: [...x], mean: [...mean], d: [...d] };
      })).flat();
    """
    density = """
      return ["moons", "ring"].map(name => matched(Float64Array.from(given[name]), densityOf(name)));
    """
    for asked in in_plane(body):
        d, x = pairs(asked["d"]), pairs(asked["x"])
        error = d.std(dim=0) / len(d) ** 0.5
        assert ((d.mean(dim=0) - pairs(asked["mean"])[0]).abs() < 4 * error + 0.025).all(), asked["alpha"]
        ends = {"moons": x - asked["alpha"] * d, "ring": x + (1 - asked["alpha"]) * d}
        assert all(end.abs().max() < 1.1 for end in ends.values())  # both ends lie within their squares
        if asked["alpha"] == 0:  # nothing is known of x₁ yet
            assert in_plane(density, {name: end.flatten().tolist() for name, end in ends.items()})[1] > 0.95


def test_lines_are_the_blends_of_the_pairs():
    body = """
      const { x0, x1 } = drawPairs({ start: densityOf("gaussian"), target: densityOf("square") }, 7);
      return [x0, x1, placesAt([x0, x1], 0.3)].map(places => [...places]);
    """
    x0, x1, x = map(pairs, in_plane(body))
    torch.testing.assert_close(x, blend(x0, x1, 0.3))
    assert len(x0) == 1000 and (x0.std(dim=0) - SPREAD).abs().max() < 0.03 and x0.mean(dim=0).abs().max() < 0.04
    assert 0.65 < x1.abs().max() < 0.75 and (x1.std(dim=0) - 1.4 / 12**0.5).abs().max() < 0.04  # uniform on ±0.7
    assert abs(torch.corrcoef(torch.cat([x0, x1], dim=1).T)[:2, 2:]).max() < 0.12  # the ends are independent


@pytest.fixture(scope="module")
def paths():
    """From the moons to the ring and to a drawing of one stroke: ends, and how far random and mean are apart."""
    body = """
      const level = (column, row) => (row === 5 && column < 18 ? 3 : 0);
      const stroke = drawingText(Array.from({ length: 576 }, (_, i) => level(i % 24, Math.floor(i / 24))));
      return ["ring", stroke].map(target => {
        const shapes = { start: densityOf("moons"), target: densityOf(target) };
        return given.map(T => {
          const { x0, x1, uniform } = drawPairs(shapes, 2);
          const mean = [...trajectory(x0, T, shapes)], random = [...trajectory(x0, T, shapes, uniform)];
          return {
            T, moments: mean.length, mean: [...mean.at(-1)], apart: meanDistance(random.at(-1), mean.at(-1)),
            fresh: matched(x1, shapes.target), random: matched(random.at(-1), shapes.target),
            matched: matched(mean.at(-1), shapes.target), target: [...shapes.target.points],
          };
        });
      });
    """
    return in_plane(body, [1, 4, 16, 64])


@pytest.mark.slow
def test_random_deblending_ends_in_the_target_at_every_t_and_the_mean_at_a_large_one(paths):
    for target in paths:
        for found in target:
            assert found["moments"] == found["T"] + 1
            assert abs(found["random"] - found["fresh"]) < 0.05, found["T"]
        matches = [found["matched"] for found in target]
        assert matches == sorted(matches) and matches[0] < 0.2 and matches[-1] > target[-1]["fresh"] - 0.05


@pytest.mark.slow
def test_the_random_paths_close_in_on_the_mean_ones_as_t_grows(paths):
    """Four times the steps, nearly half of the distance."""
    for target in paths:
        apart = [found["apart"] for found in target]
        assert all(more / less > 1.25 for more, less in zip(apart, apart[1:], strict=False)), apart
        assert apart[0] > 3 * apart[-1]


@pytest.mark.slow
def test_one_step_of_the_mean_ends_at_the_targets_mean_and_many_steps_let_no_two_meet(paths):
    for target in paths:
        ends = {found["T"]: pairs(found["mean"]) for found in target}
        middle = pairs(target[0]["target"]).mean(dim=0)
        assert (ends[1] - middle).abs().max() < 0.02
        distances = torch.pdist(ends[64])
        assert distances.min() > 1e-6 and distances.mean() > 0.2


def test_where_no_pair_can_be_a_particle_goes_on():
    body = """
      const shapes = { start: densityOf("ring"), target: densityOf("blobs") }, { uniform } = drawPairs(shapes, 1);
      const x = Float64Array.from([5, 5]);
      return [0.1, 0.9].flatMap(alpha => [null, uniform].map(chance => [...tangents(x, alpha, shapes, chance)]));
    """
    early, early_random, late, late_random = map(pairs, in_plane(body))
    assert torch.isfinite(torch.cat([early, early_random, late, late_random])).all()
    assert (early < 0).all() and (early_random < 0).all()  # back to the others


def test_a_drawing_comes_back_from_its_text_and_damage_is_refused():
    body = """
      const text = drawingText(given), drawing = densityOf(text), preset = densityOf("letter");
      const damaged = [text.slice(1), text.slice(0, -1), text + "A", text.replace("A", "*"), "circle", "", "toString"];
      return {
        text, levels: drawing.levels.map(level => 3 * level), again: asDrawing(drawing), refused: damaged.map(isShape),
        kept: isShape(text) && isShape("moons"), empty: densityOf(drawingText(given.map(() => 0))).empty,
        preset: new Set(asDrawing(preset)).size, drawn: drawing.empty,
      };
    """
    levels = torch.randint(4, (576,), generator=torch.Generator().manual_seed(0)).tolist()
    found = in_plane(body, levels)
    assert len(found["text"]) == 193 and found["kept"]
    assert [round(level) for level in found["levels"]] == found["again"] == levels
    assert not any(found["refused"]) and found["empty"] and not found["drawn"] and found["preset"] == 4
