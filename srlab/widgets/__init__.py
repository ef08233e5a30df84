"""Things to move by hand, one file a widget."""
