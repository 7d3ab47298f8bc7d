"""Test of this installation: the parts that work, and packages to install."""
