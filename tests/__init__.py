"""Everything that can fail, and the tools for it."""
