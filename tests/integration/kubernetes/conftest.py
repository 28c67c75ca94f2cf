"""What is too slow for every run is chosen by what it stands beside."""

import os

collect_ignore = [] if os.environ.get("KUBEBUILDER_ASSETS") else ["test_qdrant_volume.py"]
