"""Copy-on-write drivers: cheap, independent copies of directory trees."""
