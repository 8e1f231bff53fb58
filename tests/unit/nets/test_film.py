"""Gains and offsets of a person's channels, and the same put into weights."""

import pytest
import torch

from konterfei.nets.autoencoders import Decoder, Inter
from konterfei.nets.dims import Dims
from konterfei.nets.film import EMBEDDING, Film, folded, layers_of

LETTERS = ["", "ud", "ut", "udt", "udtc"]


def dims(letters):
    options = {"unit": "u" in letters, "double": "d" in letters, "deep": "t" in letters, "cosine": "c" in letters}
    return Dims(resolution=64, ae=6, encoder=4, decoder=4, mask=2, **options)


def network(kind, letters):
    size = dims(letters)
    return Decoder(size, size.ae) if kind == "decoder" else Inter(size, size.ae)


def question(kind, letters):
    """Three faces as the network is given them."""
    size = dims(letters)
    if kind == "inter":
        return torch.randn(3, size.features)
    side = size.code_side * (1 if size.deep else 2)
    return torch.randn(3, size.ae, side, side)


def answers(net, asked, *tints):
    out = net(asked, *tints)
    return list(out) if isinstance(out, tuple) else [out]


def taught(layers):
    """A film that has an effect, and three people."""
    film = Film(layers)
    torch.nn.init.normal_(film.out.weight, std=0.05)
    torch.nn.init.normal_(film.out.bias, std=0.05)
    return film, torch.nn.functional.normalize(torch.randn(3, EMBEDDING), dim=1)


@pytest.mark.parametrize("letters", LETTERS)
@pytest.mark.parametrize("kind", ["decoder", "inter"])
def test_a_network_with_a_person_put_in_draws_what_the_tinted_one_draws(kind, letters):
    torch.manual_seed(1)
    net, asked = network(kind, letters).double(), question(kind, letters).double()
    film, people = taught(layers_of(net))
    tints = film.double()(people.double())
    drawn, plain = answers(net, asked, tints), answers(net, asked)
    for k in range(3):
        own = network(kind, letters).double()
        own.load_state_dict(folded(net, {name: (g[k : k + 1], o[k : k + 1]) for name, (g, o) in tints.items()}))
        for one, other, without in zip(answers(own, asked[k : k + 1]), drawn, plain, strict=True):
            torch.testing.assert_close(one[0], other[k], rtol=1e-6, atol=1e-6)
            assert (one[0] - without[k]).abs().max() > 1e-3


def test_weights_of_the_network_are_left_as_they_are():
    net = network("decoder", "ud")
    before = {name: value.clone() for name, value in net.state_dict().items()}
    film, people = taught(layers_of(net))
    put_in = folded(net, film(people[:1]))
    for value in put_in.values():
        value.zero_()
    assert all(torch.equal(value, before[name]) for name, value in net.state_dict().items())


@pytest.mark.parametrize("letters", LETTERS)
@pytest.mark.parametrize("kind", ["decoder", "inter"])
def test_every_layer_that_is_named_is_tinted(kind, letters):
    torch.manual_seed(2)
    net, asked = network(kind, letters), question(kind, letters)
    plain = answers(net, asked)
    for name, channels in layers_of(net).items():
        assert channels == (net.out_channels if name == "dense2" else net.get_submodule(name).out_channels)
        for tint in ((torch.ones(3, channels), torch.zeros(3, channels)), (torch.zeros(3, channels),) * 2):
            changed = answers(net, asked, {name: tint})
            has_effect = any(not torch.equal(a, b) for a, b in zip(changed, plain, strict=True))
            assert has_effect == bool(tint[0].any()), name


def test_it_begins_without_effect_and_learns_from_the_first_step_on():
    torch.manual_seed(3)
    net, asked = network("decoder", "ud"), question("decoder", "ud")
    film = Film(layers_of(net))
    tints = film(taught({"x": 1})[1])
    assert all(not gain.any() and not offset.any() for gain, offset in tints.values())
    assert [gain.shape[1] for gain, _ in tints.values()] == list(film.layers.values())
    sum(image.sum() for image in answers(net, asked, tints)).backward()
    assert (film.out.weight.grad != 0).float().mean() > 0.9
