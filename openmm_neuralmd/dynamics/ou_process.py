"""The Ornstein–Uhlenbeck process that NeuralMD-OU writes down, as plain arrays.

Each mode m of H (eigenvalue λ_m) is a sum of independent components with times τ_k and variances
s² w_mk / λ_m.  A step of any length t is exact: a ← a e^(−t/τ) + sqrt(1 − e^(−2t/τ)) σ ξ.
Known snapshots condition it in closed form (Kalman filter of each mode; the scale s by the
conjugate Gamma distribution), from none to many.
"""

from __future__ import annotations

import os
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import ArrayLike, NDArray

Array = NDArray[np.float64]

BLOCK = 4096
"""Snapshots that are drawn together: they fit into a processor's cache."""


@dataclass(frozen=True, eq=False)
class OUProcess:
    """Distribution over the trajectories of a ligand's n heavy atoms.

    Attributes
    ----------
    centre : (n, 3)
        Predicted mean x0 + u, Å.
    values : (m,)
        Eigenvalues of H, kT/Å².
    modes : (3n, m)
        Eigenvectors of H in columns.
    times : (K,)
        τ_k in ps.
    weights : (m, K)
        Shares of the components; each row adds up to 1.
    freedom : float
        ν of the distribution of the scale, 1/s² ~ Gamma(ν/2, ν/2); infinite: s = 1.
    state, covariance : (m, K), (m, K, K)
        Mean and covariance of the components at the present, for s = 1.
    scale : float
        Mean square scale s² that ν belongs to; 1 before any snapshot is known.
    typical : float or None
        Scale of the fluctuations of a typical complex; None: the median of s.  The scale s also
        covers how far a ligand leaves its pose, so its median is larger than what RMSFs say.
    """

    centre: Array
    values: Array
    modes: Array
    times: Array
    weights: Array
    freedom: float
    state: Array
    covariance: Array
    scale: float = 1.0
    typical: float | None = None

    @property
    def atoms(self) -> int:
        """Heavy atoms n."""
        return len(self.centre)

    def variances(self) -> Array:
        """Variances (m, K) in Å² of the components for s = 1, before conditioning."""
        return self.weights / self.values[:, None]

    def stiffness(self) -> Array:
        """H (3n, 3n) in kT/Å²."""
        matrix: Array = (self.modes * self.values) @ self.modes.T
        return matrix

    def after(self, time: float) -> OUProcess:
        """The process `time` ps later, with nothing new known."""
        decay = np.exp(-time / self.times)
        gain = self.variances() * (1.0 - decay**2)
        covariance = self.covariance * decay[:, None] * decay
        return replace(self, state=self.state * decay, covariance=covariance + diagonal(gain))

    def given(self, snapshots: ArrayLike, interval_ps: float) -> OUProcess:
        """Condition on known snapshots, the last of which is the present.

        Parameters
        ----------
        snapshots : (T, n, 3)
            Å, in the frame of the given pose.
        interval_ps : float
            Time between snapshots.
        """
        known = np.asarray(snapshots, dtype=np.float64).reshape(-1, 3 * self.atoms)
        values = (known - self.centre.reshape(-1)) @ self.modes
        now, surprise = self, 0.0
        for row, value in enumerate(values):
            now = now.after(interval_ps) if row else now
            total = now.covariance.sum((1, 2)) + 1e-9 / self.values
            gain = now.covariance.sum(2) / total[:, None]
            away = value - now.state.sum(1)
            surprise += float((away**2 / total).sum())
            covariance = now.covariance - gain[:, :, None] * gain[:, None] * total[:, None, None]
            now = replace(now, state=now.state + gain * away[:, None], covariance=covariance)
        return now._rescaled(surprise, values.size)

    def _rescaled(self, surprise: float, count: int) -> OUProcess:
        """Update the scale by the squared innovations (for s = 1) of `count` numbers."""
        if not np.isfinite(self.freedom) or count == 0:
            return self
        freedom = self.freedom + count
        scale = (self.freedom * self.scale + surprise) / freedom
        return replace(self, freedom=freedom, scale=scale, typical=None)

    def mean(self) -> Array:
        """Mean structure (n, 3) in Å at the present of the process."""
        moved = self.modes @ self.state.sum(1)
        return self.centre + moved.reshape(-1, 3)

    def forecast(self, horizons_ps: ArrayLike) -> Array:
        """Mean structures (S, n, 3) in Å at times after the present."""
        decay = np.exp(-np.asarray(horizons_ps, dtype=np.float64)[:, None] / self.times)
        moved = np.einsum("dm,mk,sk->sd", self.modes, self.state, decay, optimize=True)
        return self.centre + moved.reshape(len(decay), -1, 3)

    def scales(self, replicas: int, generator: np.random.Generator, typical: bool = False) -> Array:
        """Scales s (R,), one for each replica; `typical`: the typical one for all."""
        if typical or not np.isfinite(self.freedom):
            return np.full(replicas, self.typical_scale())
        gamma = generator.gamma(self.freedom / 2, 2 / self.freedom, size=replicas)
        return np.sqrt(self.scale / gamma)

    def draw(
        self,
        times_ps: ArrayLike,
        replicas: int,
        generator: np.random.Generator,
        typical: bool = False,
    ) -> Array:
        """Trajectories (R, S, 3n) of displacements from `centre`, Å, exact at any times.

        Parameters
        ----------
        times_ps : (S,)
            Increasing times after the present, ps; 0 is the present itself.
        replicas : int
        generator : numpy.random.Generator
        typical : bool
            Every replica has the typical scale; False: a scale of its own, so that the replicas
            together have the predicted distribution, uncertainty included.
        """
        times = np.asarray(times_ps, dtype=np.float64)
        scales = self.scales(replicas, generator, typical)
        scale, spread = scales[:, None, None], np.sqrt(self.variances())
        a = self.components(scales, generator)
        out = np.empty((replicas, len(times), self.modes.shape[0]))
        before = 0.0
        for row, time in enumerate(times):
            decay = np.exp(-(time - before) / self.times)
            noise = generator.normal(size=a.shape) * spread * np.sqrt(1.0 - decay**2)
            a, before = a * decay + scale * noise, time
            out[:, row] = a.sum(-1) @ self.modes.T
        return out

    def present(
        self, replicas: int, generator: np.random.Generator, typical: bool = False
    ) -> Array:
        """Independent displacements (R, 3n) at the present, distributed as those of `draw`.

        The components of a mode add up to one Gaussian: one number, and a product of matrices.
        Blocks of `BLOCK` draw from generators of their own, on all cores: what is drawn does not
        depend on how many there are.
        """
        spread = np.sqrt(self.covariance.sum((1, 2)).clip(min=0.0))
        scales = self.scales(replicas, generator, typical)[:, None]
        # Noise in single precision: twice as fast, and wrong by 1e-7 of a displacement.
        spreading = (self.modes * spread).T.astype(np.float32)
        shift = self.modes @ self.state.sum(1)
        drawn = np.empty((replicas, len(self.modes)))

        starts = range(0, replicas, BLOCK)
        generators = [generator] if len(starts) == 1 else generator.spawn(len(starts))

        def noise(start: int, own: np.random.Generator) -> NDArray[np.float32]:
            count = min(BLOCK, replicas - start)
            return own.standard_normal((count, len(spread)), dtype=np.float32)

        # Noise takes most of the time and shares out well; products of matrices have their threads.
        with ThreadPoolExecutor(len(os.sched_getaffinity(0))) as threads:
            for start, block in zip(starts, threads.map(noise, starts, generators), strict=True):
                rows = slice(start, start + BLOCK)
                moved = block @ spreading
                moved *= scales[rows].astype(np.float32)
                np.add(moved, shift, out=drawn[rows])
        return drawn

    def components(self, scales: Array, generator: np.random.Generator) -> Array:
        """Draw the components (R, m, K) in Å at the present, from scales (R,)."""
        unit = self._root()
        noise = generator.normal(size=(len(scales), *unit.shape[:2]))
        drawn: Array = np.einsum("mkl,rml->rmk", unit, noise)
        return self.state + scales[:, None, None] * drawn

    def _root(self) -> Array:
        """Symmetric root (m, K, K) of the covariance of the components."""
        values, vectors = np.linalg.eigh(self.covariance)
        return vectors * np.sqrt(np.clip(values, 0.0, None))[:, None, :]

    def rmsf(self, window_ps: float | None = None) -> Array:
        """RMSF (n,) in Å about the mean over a window of a run; None: about the true mean.

        The scale is the typical one.
        """
        total = (self.modes**2 @ self.variance(window_ps)).reshape(-1, 3).sum(-1)
        return np.sqrt(total)

    def variance(self, window_ps: float | None = None) -> Array:
        """Variance (m,) in Å² of the modes of a typical complex, see `rmsf`."""
        share = self.variances() * (1.0 - self._lost(window_ps))
        return np.asarray(share.sum(1) * self.typical_scale() ** 2)

    def _lost(self, window_ps: float | None) -> Array:
        """Share (K,) of each component's variance that the mean of a window has."""
        if window_ps is None:
            return np.zeros_like(self.times)
        ratio = self.times / window_ps
        lost: Array = 2.0 * ratio * (1.0 - ratio * (1.0 - np.exp(-1.0 / ratio)))
        return lost

    def typical_scale(self) -> float:
        """Scale of a typical complex, or, once snapshots are known, the median of s."""
        if self.typical is not None:
            return self.typical
        from scipy.stats import chi2

        if not np.isfinite(self.freedom):
            return float(np.sqrt(self.scale))
        return float(np.sqrt(self.scale * self.freedom / chi2.median(self.freedom)))

    def correlation(self, lags_ps: ArrayLike, window_ps: float | None = None) -> Array:
        """Autocorrelation (L,) of all coordinates together at lags, about the mean of a window."""
        lags = np.asarray(lags_ps, dtype=np.float64)
        decay = np.exp(-lags[:, None] / self.times)
        lost = self._lost(window_ps)
        variance = self.variances().sum(0)
        share: Array = ((decay - lost) @ variance) / ((1.0 - lost) @ variance)
        return share

    def log_likelihood(self, snapshots: ArrayLike) -> Array:
        """Log-likelihood (S,) in nats of single snapshots (S, n, 3) Å at the present."""
        from scipy.special import gammaln

        size = 3 * self.atoms
        away = np.asarray(snapshots, dtype=np.float64).reshape(-1, size) - self.mean().reshape(-1)
        total = self.covariance.sum((1, 2)) * self.scale
        squared = ((away @ self.modes) ** 2 / total).sum(-1)
        log_volume = 0.5 * np.log(total).sum()
        nu = self.freedom
        if not np.isfinite(nu):
            return -0.5 * (squared + size * np.log(2 * np.pi)) - log_volume
        normal = gammaln((nu + size) / 2) - gammaln(nu / 2) - 0.5 * size * np.log(nu * np.pi)
        return np.asarray(normal - log_volume - 0.5 * (nu + size) * np.log1p(squared / nu))


def diagonal(variances: Array) -> Array:
    """Matrices (m, K, K) with the variances (m, K) on their diagonals."""
    matrices: Array = variances[:, :, None] * np.eye(variances.shape[1])
    return matrices


def stationary(
    centre: ArrayLike,
    stiffness: ArrayLike,
    times: ArrayLike,
    weights: ArrayLike | None = None,
    freedom: float = np.inf,
) -> OUProcess:
    """The process before any snapshot is known, from H (3n, 3n) in kT/Å².

    Weights (3n, K) are those of the modes in the order of `numpy.linalg.eigh`; None: equal ones.
    """
    values, modes = np.linalg.eigh(np.asarray(stiffness, dtype=np.float64))
    tau = np.asarray(times, dtype=np.float64)
    shares = np.full((len(values), len(tau)), 1.0 / len(tau)) if weights is None else weights
    share = np.asarray(shares, dtype=np.float64)
    return replace(unknown(centre, values, modes, tau, share), freedom=freedom)


def unknown(
    centre: ArrayLike, values: Array, modes: Array, times: Array, weights: Array
) -> OUProcess:
    """The process before any snapshot is known, from its modes and their weights; s = 1."""
    return OUProcess(
        np.asarray(centre, dtype=np.float64).reshape(-1, 3),
        values,
        modes,
        times,
        weights,
        np.inf,
        np.zeros_like(weights),
        diagonal(weights / values[:, None]),
    )
