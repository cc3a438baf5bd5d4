"""Published formulas, entropies and valence windows."""

from math import log

import pytest

from simkit.build.composition import Composition
from simkit.build.fill.entropy import configurational_entropy, entropy_label
from simkit.build.fill.formula import formula_amounts, parse_formula
from simkit.build.fill.gradient import profile
from simkit.build.valence import (
    ANION_VALENCE,
    OXIDATION_ORDER,
    RADII_A,
    octahedral_radius_A,
    slab_valences,
    tetrahedral_valence,
    window,
)
from simkit.errors import InputError

LITERATURE = (
    "Na0.85Ni0.34Mn0.33Ti0.33O2",
    "Na0.732Ni0.273Mg0.096Mn0.63O2",
    "Na(Ni2/9Fe1/3Cu1/9Mn1/3)0.98Mn0.02O2",
    "NaNi0.5Mn0.5O2",
    "Na0.46Mn0.9Ni0.1O2",
    "Na0.44Mn0.7Co0.3O2",
    "Na0.44Mn0.8Mg0.2O2",
    "Na0.6Mn0.93Fe0.04Mg0.03O2",
    "Na0.6MnO2",
    "Na0.44Mn0.97Mo0.03O2",
    "Na2/3Mn8/9Ti1/9O2",
    "Na2/3Ni1/3Mn1/3Ti1/3O2",
    "Na0.5Ni0.05Co0.15Mn0.65Mg0.15O2",
    "Na1/2Mn2/3Ni1/6Fe1/6O2",
    "Na0.89Ni0.3Mn0.55Cu0.1Ti0.05O1.94F0.06",
    "Na0.98Ni0.3Cu0.1Ti0.05Mo0.05Mn0.5O2",
    "NaNi0.12Cu0.12Mg0.12Fe0.15Co0.15Mn0.1Ti0.1Sn0.1Sb0.04O2",
    "Na0.7Mn0.4Ni0.3Cu0.1Fe0.1Ti0.1O1.95F0.1",
    "Na2/3Li1/6Fe1/6Co1/6Ni1/6Mn1/3O2",
    "NaMn0.2Fe0.2Co0.2Ni0.2Ti0.2O2",
)


@pytest.mark.parametrize("formula", LITERATURE)
def test_literature_compositions_parse_and_lie_in_their_windows(formula):
    fields = parse_formula(formula)
    composition = Composition(**fields)
    assert sum(composition.metals.values()) == pytest.approx(1)
    anions = 2 * sum(x * ANION_VALENCE[name] for name, x in composition.anions.items())
    needed = -anions - composition.mean_content
    low, high = window({name: round(1e6 * x) for name, x in composition.metals.items()})
    assert low <= needed <= high


def test_formulas_keep_their_numbers():
    assert formula_amounts("Na(Ni2/9Fe1/3Cu1/9Mn1/3)0.98Mn0.02O2") == pytest.approx(
        {"Na": 1, "Ni": 0.98 * 2 / 9, "Fe": 0.98 / 3, "Cu": 0.98 / 9, "Mn": 0.98 / 3 + 0.02, "O": 2}
    )
    assert formula_amounts("Na[Li(Mn2Co)2]0.1O2") == pytest.approx({"Na": 1, "Li": 0.1, "Mn": 0.4, "Co": 0.2, "O": 2})
    fields = parse_formula("Na0.89Ni0.3Mn0.55Cu0.1Ti0.05O1.94F0.06")
    assert fields["content"] == 0.89
    assert fields["anions"] == pytest.approx({"O": 0.97, "F": 0.03})


def test_sums_off_one_are_refused_unless_normalised():
    formula = "Na0.62Mn0.67Ni0.23Cu0.05Mg0.07Ti0.01O2"
    with pytest.raises(InputError, match=r"sum to 1.03.*normalise=True"):
        parse_formula(formula)
    fields = parse_formula(formula, normalise=True)
    assert fields["content"] == pytest.approx(0.62 / 1.03)
    assert fields["metals"]["Mn"] == pytest.approx(0.67 / 1.03)
    assert parse_formula("Na4Mn9O18", normalise=True)["content"] == pytest.approx(4 / 9)


def test_lithium_goes_where_the_caller_says():
    slab = parse_formula("Na2/3Li1/6Mn5/6O2")
    assert slab["alkali"] == "Na"
    assert slab["metals"]["Li"] == pytest.approx(1 / 6)
    both = parse_formula("Li2MnO3", mobile="Li", in_slab={"Li": 0.5}, normalise=True)
    assert both["content"] == pytest.approx(1)
    assert both["metals"] == pytest.approx({"Li": 1 / 3, "Mn": 2 / 3})
    with pytest.raises(InputError, match=r"2 Li per metal.*in_slab"):
        parse_formula("Li2MnO3", mobile="Li", normalise=True)
    doped = parse_formula("Na0.6Ca0.05MnO2", mobile=("Na", "Ca"))
    assert doped["content"] == pytest.approx(0.65)
    assert doped["dopants"] == pytest.approx({"Ca": 0.05 / 0.65})


@pytest.mark.parametrize(
    ("formula", "message"),
    [
        ("NaMnO2-dSd", "cannot be read at '-dSd'"),
        ("Na(MnO2", "1 open brackets"),
        ("NaMn]O2", "closes nothing"),
        ("NaXqO2", "Xq is not an element"),
        ("2NaMnO2", "follows nothing"),
        ("Na1/0MnO2", "divides by zero"),
        ("NaMnO3", "anions of NaMnO3 sum to 3"),
        ("NaHgO2", "metal 'Hg' has no valence"),
        ("NaO2", "0 metals"),
    ],
)
def test_unreadable_formulas_say_why(formula, message):
    with pytest.raises(InputError, match=message):
        parse_formula(formula)


def test_entropy_of_five_equal_metals_is_ln_5():
    entropy = configurational_entropy(Composition(**parse_formula("NaMn0.2Fe0.2Co0.2Ni0.2Ti0.2O2")))
    assert entropy.metals_R == pytest.approx(log(5), abs=1e-12)
    assert entropy.total_R == entropy.metals_R
    assert entropy.per_site_R == pytest.approx(log(5) / 4)
    assert entropy.label == "high"


def test_entropy_classes_of_the_field():
    # NaNi0.12...Sb0.04O2 (Zhao et al., Angew. Chem. 59, 264, 2020): nine metals, high entropy
    nine = parse_formula("NaNi0.12Cu0.12Mg0.12Fe0.15Co0.15Mn0.1Ti0.1Sn0.1Sb0.04O2")
    parts = [0.12] * 3 + [0.15] * 2 + [0.1] * 3 + [0.04]
    assert configurational_entropy(Composition(**nine)).metals_R == pytest.approx(-sum(x * log(x) for x in parts))
    labels = {
        "NaNi1/3Fe1/3Mn1/3O2": "medium",
        "NaNi0.5Mn0.5O2": "low",
        "Na2/3Li1/6Fe1/6Co1/6Ni1/6Mn1/3O2": "high",
    }
    for formula, label in labels.items():
        assert configurational_entropy(Composition(**parse_formula(formula))).label == label
    assert [entropy_label(s) for s in (0.999, 1.0, 1.499, 1.5)] == ["low", "medium", "medium", "high"]


def test_entropy_of_every_sublattice():
    both = Composition(metals={"Mn": 1}, content=0.5, anions={"O": 0.95, "F": 0.05}, dopants={"Ca": 0.1})
    plain = configurational_entropy(both)
    mixed = -(0.9 * log(0.9) + 0.1 * log(0.1))
    assert plain.ions_R == pytest.approx(0.5 * mixed)
    assert plain.anions_R == pytest.approx(-2 * (0.95 * log(0.95) + 0.05 * log(0.05)))
    # vacancies add the entropy of filling half of the sites
    full = configurational_entropy(both, vacancies=True)
    assert full.ions_R == pytest.approx(log(2) + 0.5 * mixed)
    gradient = Composition(metals=[{"Ni": 1.0}, {"Ni": 0.5, "Mn": 0.5}])
    assert configurational_entropy(gradient).metals_R == pytest.approx(log(2) / 2)


def test_molybdenum_reaches_six_before_manganese_three():
    assert slab_valences({"Mo": 1, "Mn": 9}, 3.3) == pytest.approx({"Mo": 6, "Mn": 3})
    assert window({"Mo": 1, "Cu": 1}) == (3.0, 4.5)
    assert tetrahedral_valence("Mo") == 6
    assert tetrahedral_valence("Mg") == 2


@pytest.mark.parametrize("symbol", sorted(s for s, table in RADII_A.items() if len(table) > 1))
def test_every_metal_reaches_its_highest_valence(symbol):
    steps = [(s, q) for s, q in OXIDATION_ORDER if s == symbol]
    assert steps == [(symbol, q) for q in sorted(RADII_A[symbol])[1:]]
    highest = max(RADII_A[symbol])
    assert slab_valences({symbol: 3, "Mg": 1}, (3 * highest + 2) / 4)[symbol] == pytest.approx(highest)


def test_radii_are_interpolated_and_held():
    assert octahedral_radius_A("Ni", 2.5) == pytest.approx((0.69 + 0.56) / 2)
    assert octahedral_radius_A("Ni", 1.0) == 0.69


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ({"formula": None}, "formula = None"),
        ({"mobile": "Fe"}, "mobile = 'Fe'; name the alkali"),
        ({"mobile": ""}, "mobile = ''; name the alkali"),
        ({"mobile": []}, "name the alkali"),
        ({"mobile": 3}, "mobile is a int"),
        ({"mobile": "Li"}, "Na counts as a metal here: mobile names Li"),
        ({"in_slab": ["a"]}, "in_slab is a list"),
        ({"normalise": "no"}, "normalise is a str"),
    ],
)
def test_formula_arguments_are_checked(arguments, words):
    with pytest.raises(InputError, match=words):
        parse_formula(**{"formula": "NaMnO2", **arguments})


@pytest.mark.parametrize(
    ("fields", "words"),
    [
        ({"alkali": []}, r"alkali \[\] is not offered"),
        ({"content": ()}, r"content = \(\)"),
        ({"tetrahedral": None}, "tetrahedral = None"),
        ({"sites": []}, r"sites \[\] is unknown"),
    ],
)
def test_composition_fields_are_checked(fields, words):
    with pytest.raises(InputError, match=words):
        Composition(**fields)


def test_entropy_and_profile_refuse_what_they_cannot_read():
    with pytest.raises(InputError, match="composition is a NoneType"):
        configurational_entropy(None)
    with pytest.raises(InputError, match="table is a int"):
        profile(5, 3)
    with pytest.raises(InputError, match="sites = 'a'"):
        profile(lambda x: {"Ni": 1.0}, 3, "a")
