"""What a reader is told beside an α slider: a question, and a sentence on what there is to see."""

PHASES = ("undecided", "deciding", "cleaning up")  # of the network's own path, in this order
QUESTIONS = {
    "deblend": "Where can you tell a digit first, in x_α or in x̄₁?",
    "blend": "Which of these pictures change with α, and which stay?",
    "jump": "What does the network draw when the α it is told is wrong?",
}


def alpha_text(alpha: float) -> str:
    """α as it is shown everywhere: two decimals, or three where it is small; a half is rounded up."""
    return f"{alpha + 1e-9:.{3 if 0 < alpha < 0.1 else 2}f}"


def phase(share: float) -> str:
    """The phase of a moment at which x̄₁ has gone this share of its whole path."""
    return PHASES[(share >= 0.1) + (share >= 0.8)]


def caption_on_the_path(alpha: float, phase: str, fast: bool) -> str:
    """What there is to see at α on the network's path.

    Args:
        fast: whether x̄₁ still moves at half of its highest speed or more.
    """
    if alpha == 0:
        return "Pure noise. All that x̄₁ can be is the mean of all digits, nearly the same for every noise sample."
    if alpha == 1:
        return "The digit. x̄₁ and x_α have become one picture: nothing is left to deblend."
    if phase == PHASES[0]:
        return "Undecided: x_α is noise, and x̄₁ begins to leave the mean of all digits."
    if phase == PHASES[2]:
        return "Cleaning up: x̄₁ hardly changes any more. The steps remove the noise that is left in x_α."
    if fast:
        return "Deciding: x̄₁ changes fast, while x_α is still noise to the eye."
    return "Deciding, more slowly now: x̄₁ has its shape, and x_α begins to show it."


def caption_of_a_blend(alpha: float) -> str:
    """What there is to see at α on a pair's straight line."""
    if alpha == 0:
        return "The noise of the pair. We know its digit; the network does not."
    if alpha == 1:
        return "The digit of the pair: all the noise has been blended out."
    return "On the straight line of a pair: x₀, x₁ and x₁ − x₀ stay as they are, only the weights change."


def caption_of_a_jump(made_at: float, told: float) -> str:
    """What a network makes of a picture from one α when it is told another."""
    caption = f"A picture from α = {alpha_text(made_at)}, and the network is told α = {alpha_text(told)}. "
    if told > made_at + 0.04:
        caption += "Too much: it takes grain for ink."
    elif told < made_at - 0.04:
        caption += "Too little: it trusts the picture less, and draws soft."
    else:
        caption += "That is the truth, or near it."
    return caption


def caption_of_the_curve(kind: str, fastest: float | None) -> str:
    """What the curve behind the slider is.

    Args:
        kind: of the frames.
        fastest: the α near which x̄₁ moves fastest, None where there are too few moments for a curve.
    """
    if kind == "blend":
        return "The curve is flat: the pair stays the same, so x₁ does not move."
    if kind == "jump":
        return "The slider is now the α that the network is told."
    return "" if fastest is None else f"The curve shows how fast x̄₁ moves: fastest near α = {alpha_text(fastest)}."
