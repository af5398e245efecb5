"""The α slider: what it shows, as a fragment of HTML, as a live widget and as a page of its own."""

from iadb_helpers.explorer.fragment import scrub_pictures, scrubber, still_strip
from iadb_helpers.explorer.frames import blending_frames, deblending_frames, jump_frames
from iadb_helpers.explorer.widget import AlphaExplorer

__all__ = [
    "AlphaExplorer",
    "blending_frames",
    "deblending_frames",
    "jump_frames",
    "scrub_pictures",
    "scrubber",
    "still_strip",
]
