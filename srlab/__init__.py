"""srlab: the parts of image super-resolution, small enough to read.

Every module is one subject: ``from srlab.losses import pixel_loss``.
Importing ``srlab`` itself loads nothing heavy.
"""

__version__ = "0.1.0"
