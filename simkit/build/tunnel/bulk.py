"""The tunnel phase alone, filled and checked."""

from __future__ import annotations

from simkit.build.check.limits import Rules
from simkit.build.composite import Composite, composite
from simkit.build.composition import Composition
from simkit.build.tunnel.phase import FIVE, METALS_PER_CELL, TunnelLattice, tunnel_scaffold, whole_repeats

DEFAULT = Composition({"Mn": 1.0}, content=8 / 18)


def tunnel_bulk(
    composition: Composition = DEFAULT,
    repeats: tuple[int, int, int] = (1, 1, 3),
    seed: int = 0,
    lattice: TunnelLattice | None = None,
) -> Composite:
    """The tunnel phase Na0.44MnO2 with any metals on its sites.

    composition  content is alkali per metal, 0 to 8/18 = 0.444; sites="mixed" also offers the third sodium site
    repeats      cells along a, b and the tunnel axis c (2.8 A)
    seed         draws metals and ions; the same seed gives the same cell bit for bit

    The five-coordinated metal site carries the tag site = "TM5". Raises InputError for repeats below 1, where the
    composition cannot be met on these sites or a check fails. The model's status is stated in
    `simkit.build.tunnel.phase`.
    """
    lattice = lattice or TunnelLattice()
    scaffold = tunnel_scaffold(composition, repeats, lattice)
    repeats = whole_repeats(repeats)
    metals = METALS_PER_CELL * repeats[0] * repeats[1] * repeats[2]
    facts = {
        "a_A": lattice.a_A,
        "b_A": lattice.b_A,
        "c_A": lattice.c_A,
        "metals": metals,
        "five_coordinated_metals": int((scaffold.kind == FIVE).sum()),
        "source": "reconstructed model, cell of the literature; see simkit.build.tunnel.phase",
    }
    recipe = {
        "composition": composition.to_dict(),
        "repeats": list(repeats),
        "lattice": [lattice.a_A, lattice.b_A, lattice.c_A],
    }
    rules = Rules(coordination={FIVE: (5,)}, contents={0: composition.content})
    return composite("tunnel_bulk", scaffold, seed, facts, recipe, rules)
