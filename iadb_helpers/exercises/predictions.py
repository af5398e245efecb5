"""Predictions: a small form before a result, and the reader's own words beside it afterwards."""

from collections.abc import Sequence
from html import escape

_written: dict[str, str] = {}  # {name of the prediction: what the reader has put into its form}


class Prediction:
    """A question and a place to answer it; the last line of a cell shows it.

    In a running notebook it is a text field, or a choice. On a page, or where ipywidgets is missing, it is a line to
    write on.
    """

    def __init__(self, name: str, question: str, choices: Sequence[str] = ()) -> None:
        self.name, self.question, self.choices = name, question, choices

    def _repr_mimebundle_(self, include=None, exclude=None):
        options = "".join(f"<br>☐ {escape(choice)}" for choice in self.choices)
        line = options or "<br>" + "_" * 60
        still = {
            "text/html": f'<p class="prediction"><b>Write it down.</b> {escape(self.question)}{line}</p>',
            "text/plain": f"Write it down. {self.question} {' / '.join(self.choices) or '_' * 40}",
        }
        try:
            return {**(self._form()._repr_mimebundle_() or {}), **still}
        except ModuleNotFoundError:
            return still

    def _form(self):
        """The live form.

        Raises:
            ModuleNotFoundError: if ipywidgets is not installed.
        """
        import ipywidgets

        if self.choices:
            field = ipywidgets.RadioButtons(options=list(self.choices), value=_written.get(self.name))
        else:
            field = ipywidgets.Text(value=_written.get(self.name, ""), placeholder="your prediction")
        field.layout.width = "40em"
        field.observe(self._keep, "value")
        return ipywidgets.VBox([ipywidgets.HTML(f"<b>Write it down.</b> {escape(self.question)}"), field])

    def _keep(self, change) -> None:
        _written[self.name] = change.new or ""


def predict(name: str, question: str, choices: Sequence[str] = ()) -> Prediction:
    """A form for a prediction, to be shown before the result.

    Args:
        name: by which ``recall`` finds it, for example ``"03.floor"``.
        question: in a sentence.
        choices: to choose from; none means a text field.
    """
    return Prediction(name, question, choices)


def recall(name: str) -> None:
    """Print what the reader has written into a prediction's form, to stand beside the result."""
    words = _written.get(name, "").strip()
    print(f"you wrote: {words}" if words else "you wrote nothing down")
