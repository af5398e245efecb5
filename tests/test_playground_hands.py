"""What a hand puts into the playground, without a browser: a drawing's ink, touched noise, and a path from a blend."""

import torch
from torch.nn.functional import interpolate

from iadb_helpers import to_display
from tests.node import run


def test_ink_is_a_round_brush_at_28_resized_as_mnist_is():
    shown = run({"strokes": "inked"}, "return [...inked([[[20, 10], [20, 50]], [[50, 40]]])]")
    row, column = torch.meshgrid(torch.arange(28) + 0.5, torch.arange(28) + 0.5, indexing="ij")
    at = [20.5 * 28 / 64, 10.5 * 28 / 64, 50.5 * 28 / 64, 40.5 * 28 / 64]
    line = torch.hypot(column - at[0], row - row.clamp(at[1], at[2]))
    dot = torch.hypot(column - at[2], row - at[3])
    ink = ((1.8 - torch.minimum(line, dot)) / 0.8).clamp(0, 1)
    expected = interpolate(ink[None, None], size=(32, 32), mode="bilinear")[0, 0]
    torch.testing.assert_close(to_display(torch.tensor(shown).reshape(32, 32)), expected, atol=1e-5, rtol=0)


def test_no_drawing_is_an_empty_picture():
    shown = run({"strokes": "inked"}, "return [...inked([])]")
    assert to_display(torch.tensor(shown).reshape(32, 32)).abs().max() < 1e-7


def test_touches_add_take_and_renew_and_the_edge_cuts_them():
    body = """
      const x0 = noise(3, 1), seen = text => { const { x, pixels } = touchedNoise(x0, text); return [[...x], pixels]; };
      return [[...x0], seen("CBa"), seen("CBaCBa"), seen("AAe"), seen("PPh"), seen("PPi"), seen("")];
    """
    x0, one, two, corner, patch, fresh, none = run({"noise": "noise", "views/touch": "touchedNoise"}, body)
    x0 = torch.tensor(x0)

    def change(seen):
        return (torch.tensor(seen[0]) - x0).reshape(32, 32)

    expected = torch.zeros(32, 32)
    expected[1, 2] = 3
    torch.testing.assert_close(change(one), expected)
    torch.testing.assert_close(change(two), 2 * expected)
    assert one[1] == two[1] == 1
    corner_expected = torch.zeros(32, 32)
    corner_expected[:2, :2] = -3
    torch.testing.assert_close(change(corner), corner_expected)
    assert corner[1] == 4 and patch[1] == fresh[1] == 49 and none == [x0.tolist(), 0]
    inside = change(patch) != 0
    assert inside[12:19, 12:19].all() and inside.sum() == 49
    assert torch.equal(change(fresh) != 0, inside) and change(fresh)[inside].unique().numel() == 49


def test_the_walk_keeps_the_noise_as_strong_as_noise_is():
    body = """
      const a = noise(1, 1), b = noise(2, 1);
      return [0, 0.25, 0.5, 1].map(share => [...alongArc(a, b, share)]).concat([[...a], [...b]]);
    """
    start, quarter, half, end, a, b = torch.tensor(run({"noise": "noise", "views/touch": "alongArc"}, body))
    torch.testing.assert_close(start, a)
    torch.testing.assert_close(end, b)
    assert 0.95 < quarter.std() < 1.05 and 0.95 < half.std() < 1.05
    assert torch.dot(half, a) > 400 and torch.dot(half, b) > 400


def test_a_path_from_a_blend_begins_there_and_ends_at_1():
    body = """
      const x = Float32Array.of(0, 1), moments = [];
      for (const method of ["euler", "ab2"]) for (const from of [0, 0.36])
        moments.push(await path(async () => [2, -1], x, { steps: 5, method, schedule: "early", from }));
      return moments.map(path => path.map(({ alpha, x }) => [alpha, ...x]));
    """
    for i, moments in enumerate(run({"sampling": "path"}, body)):
        start = 0.36 * (i % 2)
        alphas = torch.tensor(moments)[:, 0]
        torch.testing.assert_close(alphas, start + (1 - start) * torch.arange(6) ** 2 / 25)
        torch.testing.assert_close(torch.tensor(moments[-1][1:]), torch.tensor([2 - 2 * start, start]))
