"""PhotoDesk: enlarge a photograph of your own, compare, and take it home."""

from srlab.widgets.photo_desk.lab import PhotoDesk

__all__ = ["PhotoDesk"]
