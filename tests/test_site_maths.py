"""Formulas of the site: typeset when it is built, or named."""

import pytest

from tools.site.maths import FormulaError, mathml


def test_a_formula_becomes_mathml():
    inline, block = mathml(r"x_\alpha"), mathml(r"\frac{1}{2}", "block")
    assert inline.startswith("<math") and "<msub" in inline and 'display="inline"' in inline
    assert "<mfrac" in block and 'display="block"' in block


def test_the_bars_of_a_norm_are_of_one_height():
    assert mathml(r"\lVert x\rVert^2").count('stretchy="false"') == 2


def test_a_prime_is_not_raised_twice():
    assert "msup" not in mathml("D'(x)") and "msup" in mathml("D^2")


@pytest.mark.parametrize(
    "formula",
    [r"\nosuchcommand{x}", r"\frac{1}", r"x_", r"\left( x", r"\frac{1}{2", "a & b", r"\text{<script>x</script>}"],
)
def test_a_formula_that_cannot_be_typeset_is_named(formula):
    with pytest.raises(FormulaError) as raised:
        mathml(formula)
    assert repr(formula) in str(raised.value)
