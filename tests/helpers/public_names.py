"""Packages whose `__all__` is public: the package itself and the sub-packages of CONTRIBUTING."""

PACKAGES = (
    "",
    ".assessment.mechanics",
    ".bindingnet",
    ".campaign",
    ".dynamics",
    ".hybrid",
    ".md",
    ".md.gromacs",
    ".misato",
    ".prediction",
    ".prepare",
    ".report",
    ".training",
)
