"""The host's Hessian in a migration: taken where it pays, kept by content, and the barriers stay."""

from collections import Counter

import pytest
from ionic import ionic

from simkit import build, config, potential, solve
from simkit.errors import InputError
from simkit.workflows import migration, relax
from simkit.workflows.common import Hooks
from simkit.workflows.hops.hessians import BAND_SAVES, STATE_SAVES, hosts_for, optimiser_of_bands, optimiser_of_states


@pytest.fixture(scope="module")
def o3():
    """O3-NaCoO2 of 27 formula units, relaxed."""
    model = build.bulk(build.Block("O3", 3, metals={"Co": 1.0}), repeats=(3, 3))
    settings = relax.Config(cell="free", fmax_eV_per_A=0.01)
    return relax.run(settings, ionic(), model.structure).outcomes["structure"].structure


def asked(**words):
    return migration.Config(**{"images": 3, "hops": "distinct", "mechanisms": ["vacancy"], **words})


def test_the_hessian_is_taken_where_it_costs_less_than_it_saves(o3):
    cost = solve.host_cost(o3)
    assert cost < 60, "symmetry: 324 displacements without"
    hops = 1 + int((cost - STATE_SAVES) / (3 * BAND_SAVES))
    cells, hooks = {"O3": o3}, Hooks()
    few = hosts_for(asked(), ionic(), cells, (Counter(), Counter()), hooks, "m")
    assert few.models().states["O3"] == solve.Springs() and few.models().bands["O3"] == solve.BAND_SPRINGS
    assert few.kinds == {"O3": "exp"}
    many = hosts_for(asked(), ionic(), cells, (Counter(O3=1), Counter(O3=hops)), hooks, "m")
    assert isinstance(many.models().states["O3"], solve.HostModel) and many.kinds == {"O3": "host"}
    assert many.models().bands["O3"] is many.models().states["O3"]
    none = hosts_for(asked(preconditioner="none"), ionic(), cells, (Counter(), Counter(O3=99)), hooks, "m")
    assert none.models().states["O3"] is None and none.models().bands["O3"] is None and none.kinds == {"O3": "none"}


def test_bands_with_a_host_go_by_ode12r_and_damped_optimisers_take_no_model(o3):
    assert optimiser_of_bands(asked(), {"host"}) == optimiser_of_bands(asked(), {"host", "exp"}) == "ode12r"
    assert optimiser_of_bands(asked(), {"exp"}) == optimiser_of_states(asked()) == "lbfgs"
    assert optimiser_of_bands(asked(optimiser="fire2"), {"host"}) == "fire2"
    cells, work, hooks = {"O3": o3}, (Counter(O3=9), Counter(O3=99)), Hooks()
    assert hosts_for(asked(optimiser="fire2"), ionic(), cells, work, hooks, "m").kinds == {"O3": "none"}
    with pytest.raises(InputError, match=r"fire2.*takes none.*ode12r"):
        hosts_for(asked(optimiser="fire2", preconditioner="host"), ionic(), cells, work, hooks, "m")


@pytest.mark.parametrize("optimiser", ["auto", "lbfgs"])
def test_a_host_gives_the_same_barrier_and_ends_for_fewer_calls(o3, optimiser):
    kept, runs = {}, {}

    def keep(name, compute, types=(), given=None):
        if given is not None:
            kept.setdefault((kind, name), getattr(given, "given", given))
        return compute()

    for kind in ("host", "none"):
        # ends relaxed to 0.03 eV/A alone leave 5 meV to either barrier
        words = asked(images=5, number=1, preconditioner=kind, optimiser=optimiser, end_fmax_eV_per_A=0.005)
        (runs[kind],) = migration.run(words, potential.Counted(ionic()), {"O3": o3}, Hooks(keep)).hops
    assert all(hop.converged for hop in runs.values())
    assert runs["host"].path.barrier_eV == pytest.approx(runs["none"].path.barrier_eV, abs=0.002)
    ends = {kind: sum(end.evaluations for end in hop.ends) for kind, hop in runs.items()}
    assert ends["host"] < ends["none"]
    content = kept["host", "migration-host-O3"]
    assert content["step"] == "host Hessian" and content["structure"].formula == o3.formula
    steps = {(kind, given["step"]): given for (kind, _), given in kept.items()}
    assert steps["host", "band"]["optimiser"] == ("ode12r" if optimiser == "auto" else "lbfgs")
    assert steps["none", "band"]["optimiser"] == "lbfgs"
    assert steps["host", "state"]["error"] == 0.002 and "error" not in steps["none", "state"]


def test_unknown_words_are_named_with_the_nearest():
    for words, near in (({"optimiser": "lbgfs"}, "lbfgs"), ({"preconditioner": "hots"}, "host")):
        with pytest.raises(InputError, match=near):
            config.checked(migration.Config, words)
    with pytest.raises(InputError, match="ode12r"):
        config.checked(relax.Config, {"optimiser": "ode12"})
