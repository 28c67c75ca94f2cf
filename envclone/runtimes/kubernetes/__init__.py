"""The kubernetes runtime: a branch is a namespace with one sealed pod on volumes cloned from an image's snapshot."""
