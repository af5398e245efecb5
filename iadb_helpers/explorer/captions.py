"""What a reader is told beside an α slider: a sentence on what there is to see."""


def caption_on_the_path(alpha: float, share: float) -> str:
    """What is to be seen at α, when x̄₁ has gone this share of its whole path."""
    if alpha == 0:
        return "Pure noise. All that x̄₁ can be is the mean of all digits, nearly the same for every noise."
    if alpha == 1:
        return "The digit. x̄₁ and x_α have become one picture: nothing is left to deblend."
    if share < 0.55:
        return "Noise to the eye, and yet x̄₁ has left the mean of all digits, and moves fastest."
    if share < 0.8:
        return "x̄₁ has its shape, where x_α hardly shows one; it still sharpens."
    return "Settled: x̄₁ hardly moves any more, and the steps clear away what is left of the noise."


def caption_of_a_blend(alpha: float) -> str:
    """What there is to see at α on a pair's straight line."""
    if alpha == 0:
        return "The noise of the pair. Its digit is known to us, and not to the network."
    if alpha == 1:
        return "The digit of the pair: all the noise has been blended out."
    return "On the straight line of a pair: x₀, x₁ and x₁ − x₀ stay as they are, only the weights change."


def caption_of_a_jump(made_at: float, told: float) -> str:
    """What a network makes of a picture from one α when it is told another."""
    caption = f"A picture from α = {made_at:.2f}, and the network is told α = {told:.2f}. "
    if told > made_at + 0.04:
        caption += "Too much: it takes grain for ink."
    elif told < made_at - 0.04:
        caption += "Too little: it trusts the picture less, and draws soft."
    else:
        caption += "That is the truth, or near it."
    return caption
