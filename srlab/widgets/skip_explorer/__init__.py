"""SkipExplorer: mute a UNet's skips, and see what they carried."""

from srlab.widgets.skip_explorer.lab import SkipExplorer

__all__ = ["SkipExplorer"]
