"""Networks of many people, and the models of two that are made of them."""

import pytest
import torch

from konterfei.models import MODELS
from konterfei.models.many import MANY
from konterfei.nets.dims import Dims
from konterfei.nets.film import EMBEDDING

pytestmark = [
    pytest.mark.parametrize("letters", ["", "ud", "ut", "udt"]),
    pytest.mark.parametrize("name", sorted(MANY)),
]


@pytest.fixture
def many(name, letters):
    """A network that draws everybody otherwise."""
    torch.manual_seed(4)
    options = {"unit": "u" in letters, "double": "d" in letters, "deep": "t" in letters}
    network = MANY[name](Dims(resolution=64, ae=6, encoder=4, decoder=4, mask=2, **options))
    torch.nn.init.normal_(network.film.out.weight, std=0.05)
    return network.eval()


@pytest.fixture
def people():
    """src and dst. [2, 192]"""
    return torch.nn.functional.normalize(torch.randn(2, EMBEDDING, generator=torch.manual_seed(5)), dim=1)


@pytest.fixture
def faces():
    return torch.rand(4, 3, 64, 64, generator=torch.manual_seed(6))


def pair_of(many, people):
    model = MODELS.load(many.pair)(many.dims)
    model.load_state_dict(many.for_pair(*people))  # strict: names and shapes are the model's own
    return model.eval()


def as_(*people):
    """Everybody of 4 drawn so. [4, 2, 192]"""
    return torch.stack(people)[None].expand(4, -1, -1)


@torch.no_grad()
def test_the_model_of_two_draws_what_the_network_of_many_does(many, people, faces):
    """liae: src's code is [AB, AB], dst's [B, AB], and AB is the inter as src (dfl-spec 7.2.4)."""
    src, dst = people
    model = pair_of(many, people)
    second = src if many.pair == "liae" else dst
    as_src, as_dst = many.reconstruct_as(faces, as_(src, src)), many.reconstruct_as(faces, as_(dst, second))
    swapped, dst_mask = model.swap(faces)
    own = model.reconstruct(faces)
    for one, other in (
        (swapped.image, as_src.image),
        (swapped.mask, as_src.mask),
        (dst_mask, as_dst.mask),
        (own.image, torch.cat([as_src.image[:2], as_dst.image[2:]])),
    ):
        torch.testing.assert_close(one, other, rtol=1e-4, atol=1e-5)
    assert (as_src.image - as_dst.image).abs().max() > 1e-3, "people look alike: nothing is shown by this"


def test_weights_of_a_pair_are_copies(many, people, faces):
    with torch.no_grad():
        before = many.reconstruct_as(faces, as_(*people)).image
        for value in many.for_pair(*people).values():
            value.zero_()
        assert torch.equal(many.reconstruct_as(faces, as_(*people)).image, before)


def test_everything_learns(many, people, faces):
    out = many.reconstruct_as(faces, as_(*people))
    (out.image.square().mean() + out.mask.square().mean()).backward()
    still = [name for name, p in many.named_parameters() if p.grad is None or not p.grad.any()]
    assert still == []
