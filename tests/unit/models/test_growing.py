"""A wider network that draws the same, and learns with all that it has."""

import pytest
import torch

from konterfei.models import MODELS
from konterfei.models.growing import grown
from konterfei.models.many import MANY
from konterfei.nets.dims import Dims
from konterfei.nets.film import EMBEDDING

NARROW = {"ae": 6, "encoder": 4, "decoder": 4, "mask": 2}
WIDE = {"ae": 10, "encoder": 8, "decoder": 6, "mask": 5}

pytestmark = [
    pytest.mark.parametrize("letters", ["", "ud", "ut", "udt"]),
    pytest.mark.parametrize("name", sorted(MANY)),
]


def dims(letters, widths):
    options = {"unit": "u" in letters, "double": "d" in letters, "deep": "t" in letters}
    return Dims(resolution=64, **widths, **options)


@pytest.fixture
def narrow(name, letters):
    torch.manual_seed(7)
    network = MANY[name](dims(letters, NARROW))
    torch.nn.init.normal_(network.film.out.weight, std=0.05)
    torch.nn.init.normal_(network.film.out.bias, std=0.05)
    return network


def faces():
    return torch.rand(3, 3, 64, 64, generator=torch.manual_seed(8))


def people(count):
    return torch.nn.functional.normalize(torch.randn(count, 2, EMBEDDING, generator=torch.manual_seed(9)), dim=2)


@pytest.mark.parametrize("wider", [WIDE, NARROW | {"encoder": 12}, NARROW | {"ae": 9}, NARROW | {"mask": 3}, NARROW])
@torch.no_grad()
def test_the_wide_one_draws_what_the_narrow_one_draws(narrow, letters, wider):
    wide = grown(narrow, dims(letters, wider))
    before, after = (network.reconstruct_as(faces(), people(3)) for network in (narrow, wide))
    for one, other in ((after.image, before.image), (after.mask, before.mask)):
        torch.testing.assert_close(one, other, rtol=1e-4, atol=1e-5)


@torch.no_grad()
def test_so_does_the_model_of_two_that_is_made_of_it(narrow, letters, name):
    swaps = []
    for network in (narrow, grown(narrow, dims(letters, WIDE))):
        model = MODELS.load(name)(network.dims)
        model.load_state_dict(network.for_pair(*people(1)[0]))
        swapped, mask = model.eval().swap(faces())
        swaps.append((swapped.image, swapped.mask, mask))
    for one, other in zip(*swaps, strict=True):
        torch.testing.assert_close(one, other, rtol=1e-4, atol=1e-5)


def test_all_of_it_learns_within_two_steps(narrow, letters):
    """Old channels begin to listen to new ones in the first step; from then on these are told what is wanted."""
    wide = grown(narrow, dims(letters, WIDE))
    parameters = dict(wide.named_parameters())
    optimizer = torch.optim.Adam(wide.parameters(), lr=1e-3)
    moves = {parameter_name: torch.zeros_like(p, dtype=torch.bool) for parameter_name, p in parameters.items()}
    for _ in range(2):
        optimizer.zero_grad()
        out = wide.reconstruct_as(faces(), people(3))
        ((out.image - faces()).square().sum() + out.mask.square().sum()).backward()
        for parameter_name, p in parameters.items():
            moves[parameter_name] |= p.grad != 0
        optimizer.step()
    still = {key: int((~moved).sum()) for key, moved in moves.items() if not moved.all()}
    assert still == {}


def test_twice_the_same_seed_gives_the_same(narrow, letters):
    weights = []
    for _ in range(2):
        torch.manual_seed(1)
        weights.append(grown(narrow, dims(letters, WIDE)).state_dict())
    assert all(torch.equal(a, b) for a, b in zip(weights[0].values(), weights[1].values(), strict=True))
