"""Maps of the plane: rotation, scale and shift, composed with `@`."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, overload

import numpy as np
from numpy.typing import ArrayLike, NDArray

Array = NDArray[Any]


@dataclass(frozen=True, eq=False)
class Similarity:
    """A 2x3 affine map, in practice a similarity: rotation, uniform scale, shift.

    Convention:
        Named `to_from`: `crop_points = crop_from_frame @ frame_points`. Pixel centres at integers, x right, y down,
        so a positive rotation turns clockwise on the screen. Face types without rotation (`*_no_align`) and matrices
        rounded to float32 by DeepFaceLab's recipe are similarities only to about 1e-6; nothing here relies on more.

    Attributes:
        matrix: [2, 3] float64, read only
    """

    matrix: Array

    def __post_init__(self) -> None:
        matrix = np.array(self.matrix, dtype=np.float64)
        if matrix.shape != (2, 3):
            raise ValueError(f"expected a [2, 3] matrix, got {list(matrix.shape)}")
        if not np.isfinite(matrix).all():
            raise ValueError(f"a map needs finite numbers, got {matrix.tolist()}")
        matrix.setflags(write=False)
        object.__setattr__(self, "matrix", matrix)

    @classmethod
    def identity(cls) -> Similarity:
        """The map that changes nothing."""
        return cls(np.eye(2, 3))

    @classmethod
    def of(cls, scale: float = 1.0, rotation: float = 0.0, shift: ArrayLike = (0.0, 0.0)) -> Similarity:
        """Scale about the origin, then turn by `rotation` radians (clockwise on the screen), then shift."""
        cos, sin = scale * np.cos(rotation), scale * np.sin(rotation)
        x, y = np.asarray(shift, dtype=np.float64)
        return cls(np.array([[cos, -sin, x], [sin, cos, y]]))

    @classmethod
    def fit(cls, src_points: ArrayLike, dst_points: ArrayLike) -> Similarity:
        """The least-squares similarity that takes `src_points` to `dst_points` (Umeyama 1991, eq. 40-43).

        Args:
            src_points: [N, 2], at least two distinct points
            dst_points: [N, 2]; centred in their own precision (DeepFaceLab's template is float32)

        Raises:
            ValueError: when the points do not determine a similarity (all equal, or not finite).
        """
        src, dst = np.asarray(src_points, dtype=np.float64), np.asarray(dst_points)
        if src.shape != dst.shape or src.ndim != 2 or src.shape[1] != 2:
            raise ValueError(f"expected two [N, 2] arrays, got {list(src.shape)} and {list(dst.shape)}")
        if not (np.isfinite(src).all() and np.isfinite(dst).all()):
            raise ValueError("cannot fit a similarity to points that are not finite")
        src_mean, dst_mean = src.mean(axis=0), dst.mean(axis=0)
        src_centred, dst_centred = src - src_mean, dst - dst_mean
        covariance = dst_centred.T @ src_centred / len(src)
        rank = np.linalg.matrix_rank(covariance)
        if rank == 0:
            raise ValueError("cannot fit a similarity: the points fall together")
        signs = np.ones(2)
        if np.linalg.det(covariance) < 0:
            signs[1] = -1.0
        u, singular, vt = np.linalg.svd(covariance)
        if rank == 1:  # points on one line: the side of the line is free, take the proper rotation
            signs[1] = 1.0 if np.linalg.det(u) * np.linalg.det(vt) > 0 else -1.0
        rotation = u @ np.diag(signs) @ vt
        scale = (singular @ signs) / src_centred.var(axis=0).sum()
        return cls(np.column_stack([scale * rotation, dst_mean - scale * rotation @ src_mean]))

    @property
    def scale(self) -> float:
        """Magnification: lengths after over lengths before."""
        return float(np.sqrt(abs(np.linalg.det(self.matrix[:, :2]))))

    @property
    def rotation(self) -> float:
        """Radians in (-pi, pi], clockwise on the screen."""
        return float(np.arctan2(self.matrix[1, 0] - self.matrix[0, 1], self.matrix[0, 0] + self.matrix[1, 1]))

    @property
    def shift(self) -> Array:
        """Where the origin goes, [2] float64."""
        return self.matrix[:, 2]

    def inverse(self) -> Similarity:
        """The map back: `a.inverse() @ a` is the identity."""
        linear = np.linalg.inv(self.matrix[:, :2])
        return Similarity(np.column_stack([linear, -linear @ self.matrix[:, 2]]))

    def is_close(self, other: Similarity, tolerance: float = 1e-6) -> bool:
        """Whether no entry differs by more than `tolerance`."""
        return bool(np.abs(self.matrix - other.matrix).max() <= tolerance)

    @overload
    def __matmul__(self, other: Similarity) -> Similarity: ...
    @overload
    def __matmul__(self, other: Array) -> Array: ...
    def __matmul__(self, other: Similarity | Array) -> Similarity | Array:
        """`a @ b` is the map "first b, then a"; `a @ points` are the points [..., 2] after the map.

        float32 points stay float32, anything else becomes float64.
        """
        linear, shift = self.matrix[:, :2], self.matrix[:, 2]
        if isinstance(other, Similarity):
            return Similarity(np.column_stack([linear @ other.matrix[:, :2], linear @ other.matrix[:, 2] + shift]))
        points = np.asarray(other)
        moved = points.astype(np.float64) @ linear.T + shift
        return moved.astype(np.float32) if points.dtype == np.float32 else moved

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Similarity) and np.array_equal(self.matrix, other.matrix)

    def __hash__(self) -> int:
        return hash(self.matrix.tobytes())
