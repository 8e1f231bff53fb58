"""Full memory is an error for a person; every other error of the networks stays what it is."""

import numpy as np
import pytest
import torch

from konterfei.errors import OutOfMemoryError
from konterfei.geometry import FaceType
from konterfei.models.base import SwapModel
from konterfei.models.devices import memory_errors
from konterfei.models.swapper import Swapper
from konterfei.nets.autoencoders import Dims

DIMS = Dims(resolution=32, ae=8, encoder=8, decoder=8, mask=4)


class Failing(SwapModel):
    """Fails when it is to draw, or already when it is moved to its processor."""

    def __init__(self, error, is_large=False):
        super().__init__(DIMS)
        self.error, self.is_large = error, is_large

    def to(self, *args, **kwargs):
        if self.is_large:
            raise self.error
        return super().to(*args, **kwargs)

    def swap(self, images):
        raise self.error


def draw(model, count=3):
    faces = np.zeros((count, 32, 32, 3), np.uint8)
    return Swapper(model, FaceType.FULL, {}, device="cpu", precision="fp32").swap(faces)


@pytest.mark.parametrize(
    "error",
    [
        torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 2.00 GiB."),
        RuntimeError("CUDA error: out of memory"),
        RuntimeError("MPS backend out of memory (MPS allocated: 9 GB)."),
        RuntimeError("[enforce fail] DefaultCPUAllocator: can't allocate memory: you tried to allocate 8 bytes."),
        RuntimeError("CUDA error: CUBLAS_STATUS_ALLOC_FAILED when calling `cublasCreate(handle)`"),
    ],
    ids=["cuda", "driver", "mps", "cpu", "cublas"],
)
def test_a_batch_that_does_not_fit_says_which_and_what_to_do(error):
    with pytest.raises(OutOfMemoryError, match=r"'cpu'.*draw 3 faces of 32 px at once.*smaller --batch") as caught:
        draw(Failing(error))
    assert caught.value.__cause__ is error
    assert caught.value.exit_code == 2


def test_a_model_that_does_not_fit_says_so():
    with pytest.raises(OutOfMemoryError, match=r"hold the model.*\. Close other programs"):
        draw(Failing(torch.OutOfMemoryError("CUDA out of memory."), is_large=True))


def test_a_gpu_has_the_cpu_as_a_way_out():
    with (
        pytest.raises(OutOfMemoryError, match=r"'cuda:1'.*--device cpu"),
        memory_errors(torch.device("cuda:1"), "work"),
    ):
        raise torch.OutOfMemoryError("CUDA out of memory.")


def test_other_errors_are_passed_on():
    with pytest.raises(RuntimeError, match="sizes do not match") as caught:
        draw(Failing(RuntimeError("sizes do not match")))
    assert not isinstance(caught.value, OutOfMemoryError)
