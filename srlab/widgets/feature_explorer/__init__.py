"""FeatureExplorer: what does a trained network see, and which changes does it mind?"""

from srlab.widgets.feature_explorer.lab import FeatureExplorer

__all__ = ["FeatureExplorer"]
