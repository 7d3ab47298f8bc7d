"""Diagnosis of an installation from facts that were gathered elsewhere."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

# Pattern in the loader's message, what it means, whether it can be ignored.
_EXPLANATIONS = (
    (r"libOpenCL\.so", "no OpenCL driver on this machine: only the OpenCL platform is lost", True),
    (r"libOpenMM(OpenCL|CUDA|HIP)\.so", "follows from the platform above not being there", True),
    (r"libcuda\.so", "no NVIDIA driver on this machine: only the CUDA platform is lost", True),
    (r"amdhip|hiprtc|hipfft", "no AMD ROCm on this machine: only the HIP platform is lost", True),
    (
        r"lib(nvrtc|cufft|cudart)[^:]*\.so\.(\d+)",
        "the plug-in is built for another CUDA than torch brings: "
        "pip install torch==2.9.1 openmmtorch==1.5",
        False,
    ),
    (
        r"lib(torch|c10)\w*\.so",
        "the plug-in does not find torch: pip install torch==2.9.1 openmmtorch==1.5",
        False,
    ),
    (
        r"undefined symbol",
        "the plug-in is built for another version of OpenMM or torch: "
        "pip install openmm==8.6.1 torch==2.9.1 openmmtorch==1.5",
        False,
    ),
)

TORCHFORCE_UNREADABLE = {"1.5"}
"""Versions of openmmtorch whose TorchForce crashes Python when OpenMM 8.6 reads it from XML.

The same as `mm.backends.ABI_BROKEN` (a test compares them), which cannot be imported here: it needs
OpenMM and torch, and `doctor` has to run where they do not load.
"""

_UNREADABLE = (
    "openmmtorch {version}: a TorchForce runs, but with OpenMM 8.6 reading it back from XML "
    "(XmlSerializer.deserialize, copy.deepcopy) crashes Python; NeuralMDForce therefore takes "
    "PythonForce, which gives the same numbers, unless you say backend='TorchForce'"
)

_NO_OPENCL = (
    "openmmtorch {version}: its TorchForce crashes Python on platform OpenCL with OpenMM 8.6; "
    "NeuralMDForce takes PythonForce there, and refuses backend='TorchForce'"
)


@dataclass(frozen=True)
class Package:
    """An installed or missing distribution; `version` is None where it is missing."""

    name: str
    version: str | None
    lost_without: str

    @property
    def required(self) -> bool:
        """True if the package is needed for everything."""
        return not self.lost_without


@dataclass(frozen=True)
class PlatformInfo:
    """An OpenMM platform: OpenMM's estimate of its speed and the defaults of its properties."""

    name: str
    speed: float
    properties: dict[str, str]


@dataclass(frozen=True)
class PluginFailure:
    """A plug-in library that OpenMM could not load, and what that means."""

    library: str
    reason: str
    explanation: str
    harmless: bool


@dataclass(frozen=True)
class Probe:
    """A small harmonic force evaluated through one backend on one platform."""

    backend: str
    platform: str
    works: bool
    detail: str


@dataclass(frozen=True)
class DoctorReport:
    """All findings; `status`, `exit_code` and `advice` follow from them."""

    python: str
    system: str
    packages: tuple[Package, ...]
    programs: tuple[Package, ...]
    """Outside programs that are called where they are installed; no part of the verdict."""
    platforms: tuple[PlatformInfo, ...]
    plugin_failures: tuple[PluginFailure, ...]
    probes: tuple[Probe, ...]
    torch_cuda_build: str | None
    gpus: tuple[str, ...]
    crash: str
    """Why OpenMM and torch cannot even be imported together; empty where they can."""
    extras: tuple[Package, ...] = ()
    """Libraries of the extras, such as `openmm_neuralmd[train]`; no part of the verdict."""

    @property
    def missing(self) -> tuple[Package, ...]:
        """Packages that are not installed."""
        return tuple(package for package in self.packages if package.version is None)

    @property
    def status(self) -> str:
        """Verdict on the installation: 'ok', 'degraded' or 'broken'.

        'broken': nothing can run.  'degraded': something that this machine could do does not
        work.  'ok': every platform that is here has at least one working backend, TorchForce
        works, and no plug-in failed for a reason that matters.
        """
        works = [probe for probe in self.probes if probe.works]
        if self.crash or not works or any(package.required for package in self.missing):
            return "broken"
        every_platform = {probe.platform for probe in works} == {p.name for p in self.platforms}
        torch_force = any(probe.backend == "TorchForce" for probe in works)
        plugins = all(failure.harmless for failure in self.plugin_failures)
        gpu_used = not self.gpus or any(p.name in ("CUDA", "HIP") for p in self.platforms)
        good = every_platform and torch_force and plugins and gpu_used and not self.missing
        return "ok" if good else "degraded"

    @property
    def remarks(self) -> tuple[str, ...]:
        """Remarks on an installation that works; they do not change the verdict."""
        if self._openmmtorch not in TORCHFORCE_UNREADABLE:
            return ()
        lines = [_UNREADABLE.format(version=self._openmmtorch)]
        if any(self._is_known(probe) for probe in self.probes):
            lines.append(_NO_OPENCL.format(version=self._openmmtorch))
        return tuple(lines)

    @property
    def _openmmtorch(self) -> str | None:
        return next((p.version for p in self.packages if p.name == "openmmtorch"), None)

    def _is_known(self, probe: Probe) -> bool:
        """Test whether a probe fails in the way that is known for this version of openmmtorch."""
        torch_on_opencl = (probe.backend, probe.platform) == ("TorchForce", "OpenCL")
        broken = self._openmmtorch in TORCHFORCE_UNREADABLE
        return torch_on_opencl and broken and not probe.works

    @property
    def exit_code(self) -> int:
        """0 for 'ok', 1 for 'degraded', 2 for 'broken'."""
        return ("ok", "degraded", "broken").index(self.status)

    @property
    def advice(self) -> tuple[str, ...]:
        """Packages to install and faults to mend, most urgent first; empty if all is well."""
        lines = [
            f"pip install {package.name}: missing, and "
            + (f"with it {package.lost_without}" if package.lost_without else "required")
            for package in sorted(self.missing, key=lambda package: not package.required)
        ]
        lines += [f"{f.library}: {f.explanation}" for f in self.plugin_failures if not f.harmless]
        lines += [
            f"{p.backend} on {p.platform}: {p.detail}"
            for p in self.probes
            if not p.works and not self._is_known(p)
        ]
        if self.crash:
            lines.append(f"OpenMM and torch cannot be loaded together: {self.crash}")
        if self.gpus and not any(p.name in ("CUDA", "HIP") for p in self.platforms):
            lines.append(
                f"torch sees {self.gpus[0]} but OpenMM has no platform for it: "
                "pip install 'openmm[cuda12]' 'openmmtorch[cuda12]==1.5'"
            )
        return tuple(dict.fromkeys(lines))


def explain(message: str) -> PluginFailure:
    """Turn a line of `openmm.Platform.getPluginLoadFailures()` into plain words."""
    match = re.match(r"Error loading library (?P<path>.*?): (?P<reason>.*)", message, re.DOTALL)
    library = Path(match["path"]).name if match else "?"
    reason = match["reason"].strip() if match else message
    for pattern, explanation, harmless in _EXPLANATIONS:
        if re.search(pattern, reason):
            return PluginFailure(library, reason, explanation, harmless)
    return PluginFailure(library, reason, "not a known cause: see the message itself", False)
