"""A production with many constructed failures in it, and the incidents that they cause. Nothing of a diagnosis."""
