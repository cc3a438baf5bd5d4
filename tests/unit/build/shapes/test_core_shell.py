"""Core and shell: exact graded counts, the builder behind each shape, recipes, refusals."""

import json
from dataclasses import replace

import numpy as np
import pytest

from simkit.build import (
    Block,
    CoreShellSettings,
    DomainSettings,
    Ellipsoid,
    Everywhere,
    Gradient,
    Heights,
    Layers,
    Model,
    Prism,
    Ribbon,
    core_shell,
    orthogonal,
    sphere,
)
from simkit.build.shapes.core_shell import _mixed, rebuild_core_shell
from simkit.errors import InputError

CORE = Block("P2", 2, {"Ni": 1 / 3, "Mn": 2 / 3}, content=2 / 3)
SHELL = Block("P2", 2, {"Mn": 1.0}, content=1 / 2)


def nickel_share(structure, region):
    metals = (structure.tags["block"] == region) & (structure.tags["site"] == "TM")
    return (structure.numbers[metals] == 28).sum() / metals.sum()


def same(first, second):
    return all(getattr(first, k).tobytes() == getattr(second, k).tobytes() for k in ("numbers", "positions", "cell"))


def test_a_sharp_prism_holds_both_compositions_exactly():
    built = core_shell(CORE, SHELL, Prism(9.0, sides=6), (12, 12))
    s = built.structure
    metals = s.tags["site"] == "TM"
    core = metals & (s.tags["block"] == 1)
    assert (s.numbers[core] == 28).sum() == round(core.sum() / 3)
    assert not (s.numbers[metals & ~core] == 28).any()
    per_slab = [(s.numbers[core & (s.layers == j)] == 28).sum() for j in range(2)]
    assert abs(per_slab[0] - per_slab[1]) <= 1
    assert (s.numbers == 8).sum() == 2 * 2 * 144


@pytest.mark.parametrize("profile", ["linear", "erf"])
def test_a_gradient_is_monotonic_and_its_totals_are_nearest_to_the_profile(profile):
    steps = 4
    choice = CoreShellSettings(Gradient(8.0, steps, profile))
    built = core_shell(CORE, SHELL, Prism(9.0, (0.52, 0.49)), (12, 12), settings=choice)
    s = built.structure
    shares = [nickel_share(s, k) for k in range(steps + 2)]
    sizes = [((s.tags["block"] == k) & (s.tags["site"] == "TM")).sum() for k in range(steps + 2)]
    wanted = np.array([0.0, *choice.gradient.shares(), 1.0]) / 3
    assert np.all(np.abs(shares - wanted) * sizes <= 1.0), "each step within one atom of the profile"
    assert np.isclose(np.dot(shares, sizes), np.dot(wanted, sizes), atol=0.5), "the sum nearest to the profile"
    assert shares[0] == 0 and shares[-1] == pytest.approx(1 / 3, abs=0.5 / sizes[-1])
    assert (np.diff(shares) > -1.0 / min(sizes)).all()


def test_gradient_profiles_are_those_written():
    assert np.allclose(Gradient(5.0, 4).shares(), [0.125, 0.375, 0.625, 0.875])
    erf = Gradient(5.0, 2, "erf").shares()
    assert np.allclose(erf.sum(), 1.0)
    assert erf[0] == pytest.approx(0.5 * (1 - 0.5204999), abs=1e-6), "erf(1/2) from tables"


def test_a_graded_sphere_has_recipe_and_seed():
    o3 = [Block("O3", 6, metals, alkali="Li") for metals in ({"Ni": 1.0}, {"Ni": 0.4, "Mn": 0.3, "Co": 0.3})]
    arguments = (*o3, sphere(7.0), (7, 7))
    choice = CoreShellSettings(Gradient(4.0, 2))
    first = core_shell(*arguments, seed=3, settings=choice)
    assert same(first.structure, core_shell(*arguments, seed=3, settings=choice).structure)
    again = rebuild_core_shell(json.loads(json.dumps(first.recipe)))
    assert same(first.structure, again.structure)
    assert again.recipe == first.recipe
    assert not same(first.structure, core_shell(*arguments, seed=4, settings=choice).structure)


def test_basal_shells_go_through_the_stack_builder():
    built = core_shell(CORE, Block("O3", 3, {"Ni": 0.5, "Mn": 0.5}), "basal", (6, 6))
    assert isinstance(built, Model)
    assert built.stack.gaps() == ["P2"] * 2 + ["O3"] * 3


def test_a_spinel_shell_shares_the_lattice_of_its_core():
    shell = Block("spinel", 3, {"Mn": 1.0}, tetrahedral={"Li": 1.0})
    built = core_shell(Block("O3", 3, {"Mn": 1.0}, alkali="Li"), shell, Ribbon(0.0, 14.0, "zigzag"), orthogonal(4, 6))
    assert built.recipe["kind"] == "core_shell"
    assert set(np.unique(built.structure.tags["phase"])) == {"O3", "spinel"}


@pytest.mark.slow
def test_ribbons_of_other_phases_go_through_the_lateral_builders():
    equal = core_shell(Block("P3", 3, {"Mn": 1.0}, content=0.5), Block("O3", 3, {"Mn": 1.0}), Ribbon(0.0, 30.0))
    assert equal.recipe["kind"] == "lateral"
    assert equal.structure.cell[0, 0] + equal.structure.cell[1, 1] > 55.0


def test_refusals():
    with pytest.raises(InputError, match="ribbon"):
        core_shell(Block("P2", 6), Block("O3", 6), Prism(5.0), (6, 6))
    with pytest.raises(InputError, match="one phase"):
        mixed = Block("O3", 3), Block("rock-salt", 3)
        core_shell(*mixed, Ellipsoid((3, 3, 3)), (6, 6), settings=CoreShellSettings(Gradient(3.0)))
    with pytest.raises(InputError, match="metals per slab"):
        core_shell(CORE, SHELL, "basal", settings=CoreShellSettings(Gradient(3.0)))
    with pytest.raises(InputError, match="basal"):
        core_shell(CORE, SHELL, "onion")
    with pytest.raises(InputError, match="steps"):
        Gradient(3.0, 0)
    with pytest.raises(InputError, match="slabs 0 to 1"):
        core_shell(CORE, SHELL, Layers(1, 2), (6, 6))


JOINED = Block("P3", 3, {"Mn": 1.0}, content=0.5), Block("O3", 3, {"Mn": 1.0})


@pytest.mark.parametrize(
    ("blocks", "shape", "repeats", "choice", "message"),
    [
        (JOINED, Ribbon(0.0, 30.0), (6, 6), CoreShellSettings(Gradient(5.0)), "gradient has no effect"),
        (JOINED, Ribbon(0.0, 30.0), (8, 6), None, "repeats"),
        (JOINED, Ribbon(5.0, 35.0), (6, 6), None, "from_A"),
        (
            JOINED,
            Ribbon(0.0, 30.0),
            (6, 6),
            CoreShellSettings(domains=DomainSettings(strain="equal")),
            "domains.strain",
        ),
        (JOINED, "basal", (6, 6), CoreShellSettings(domains=DomainSettings(edges="alkali")), "domains.edges"),
        (JOINED, "basal", (6, 6), CoreShellSettings(domains=DomainSettings(smoothing_A=1.0)), "domains.smoothing_A"),
        (JOINED, "basal", (6, 6), CoreShellSettings(shell_A=20.0), "shell_A"),
        ((CORE, SHELL), Prism(9.0), (12, 12), CoreShellSettings(shell_A=20.0), "shell_A"),
        ((CORE, SHELL), Everywhere(), (6, 6), None, "is no core"),
        ((CORE, SHELL), Layers(0, 1), (6, 6), None, "region 0 .* holds none"),
        ((CORE, SHELL), None, (6, 6), None, "shape None"),
        ((None, SHELL), "basal", (6, 6), None, "core is a NoneType"),
        ((CORE, replace(SHELL, content=[0.4, 0.6])), Prism(9.0), (12, 12), CoreShellSettings(Gradient(5.0)), "lists"),
        ((CORE, replace(SHELL, sites="e")), Prism(9.0), (12, 12), CoreShellSettings(Gradient(5.0)), "sites"),
    ],
)
def test_what_has_no_effect_is_refused(blocks, shape, repeats, choice, message):
    with pytest.raises(InputError, match=message):
        core_shell(*blocks, shape, repeats, settings=choice)


@pytest.mark.parametrize("values", [("a",), (3.0, float("nan")), (3.0, 1.5), (float("inf"),), (3.0, 4, ["erf"])])
def test_gradients_are_checked(values):
    with pytest.raises(InputError):
        Gradient(*values)


def test_tetrahedral_cations_are_graded_too():
    """Steps 1/4 and 3/4 of Mg in Li, whole atoms on the tetrahedra that are left at the edges of the steps."""
    ends = [Block("spinel", 6, {"Mn": 1.0}, tetrahedral={symbol: 1.0}) for symbol in ("Mg", "Li")]
    built = core_shell(
        *ends, Ribbon(0.0, 17.0, "zigzag"), orthogonal(4, 8), settings=CoreShellSettings(Gradient(8.0, 2))
    )
    s = built.structure
    tets = s.tags["site"] == "tet"
    numbers = [(tets & (s.tags["block"] == k)).sum() for k in range(4)]
    shares = [(tets & (s.tags["block"] == k) & (s.numbers == 12)).sum() for k in range(4)]
    assert np.all(np.abs(shares - np.array([0, 0.25, 0.75, 1.0]) * numbers) <= 1.0)
    assert np.isclose(sum(shares), np.dot([0, 0.25, 0.75, 1.0], numbers), atol=0.5), "the sum nearest to the profile"


def test_given_heights_are_graded():
    heights = Heights(2.90, 2.0, {"P2": 3.5}), Heights(2.94, 2.1, {"P2": 3.6})
    core, shell = (replace(b, heights=h) for b, h in zip((CORE, SHELL), heights, strict=True))
    middle = _mixed(core, shell, 0.25).heights
    assert (middle.a_A, middle.slab_A, middle.gallery_A("P2")) == pytest.approx((2.93, 2.075, 3.575))
