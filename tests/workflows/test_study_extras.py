"""The tables that add steps to a study: what is left out, explained, refused, kept apart."""

import functools
import re
import tomllib

import numpy as np
import pytest
from campaigns import STUDY

from simkit import build, config, potential, solve
from simkit.errors import InputError
from simkit.workflows import dynamics, elastic, extras, md, study
from simkit.workflows.kept import RULES, step_key

CARD = potential.load("morse").card


def settings(more=""):
    return study.settings(tomllib.loads(STUDY + more))


def test_without_their_tables_they_are_no_steps():
    plain = settings()
    assert [getattr(plain, table) for table, _ in extras.STEPS.values()] == [None] * 3
    assert not {"elastic", "surfaces", "dynamics"} & set(plain.model_dump(exclude_none=True))
    assert {name for name, rule in RULES.items() if rule.table} == set(extras.STEPS)


def test_the_template_explains_tables_that_are_good():
    text = study.template()
    head, _, more = text.partition("# Three more steps")
    uncommented = head + "\n".join(line.removeprefix("# ") for line in more.splitlines()[1:])
    found = config.checked(study.Config, tomllib.loads(uncommented))
    assert (found.elastic, found.dynamics.transport.skip_ps) == (elastic.Config(), 2.0)
    assert found.dynamics.ends == [5000 * k for k in range(1, 11)]


def test_a_table_changes_the_key_of_its_own_step_only():
    before, after = settings("[surfaces]\ngrid = 3\n"), settings("[surfaces]\ngrid = 6\n")
    for name in RULES:
        same = step_key(before, name, CARD) == step_key(after, name, CARD)
        assert same == (name != "surfaces"), name


def test_mistakes_are_named():
    with pytest.raises(InputError, match=re.escape("dynamics.segment_ps")):
        settings("[dynamics]\nsegment_ps = 0\n")
    with pytest.raises(InputError, match=re.escape("surfaces.gird")):
        settings("[surfaces]\ngird = 3\n")


@functools.lru_cache(maxsize=1)
def cell():
    """Relaxed: as it is built, it would heat up by thousands of degrees."""
    built = build.bulk(build.Block("O3", 3, metals={"Co": 1.0}), (2, 1)).structure
    return solve.relax([built], potential.load("morse"), "free", 0.05)[0].structure


def test_segments_are_one_run_bit_for_bit():
    """Cut anywhere, and beside others or alone: what `run_md` gives in one go."""
    run = md.Config(temperatures_K=(300.0, 700.0), length_ps=0.02, frame_fs=2.0, replicas=2, thermostat="langevin")
    model = potential.load("morse")
    one, many = (
        dynamics.run(dynamics.Config(run=run, segment_ps=s, transport={"skip_ps": 0.0}), model, {"O3": cell()})
        for s in (1.0, 0.006)
    )
    assert len(one.trajectories) == 4
    for name, whole in one.trajectories.items():
        cut = many.trajectories[name]
        assert whole.finished
        assert np.array_equal(whole.time_fs, np.arange(0, 21, 2))
        for what in ("time_fs", "positions", "velocities_A_per_fs", "energy", "stress"):
            assert np.array_equal(getattr(whole, what), getattr(cut, what)), (name, what)
    last = [t.positions[-1] for t in one.trajectories.values()]
    assert all(not np.array_equal(a, b) for k, a in enumerate(last) for b in last[k + 1 :]), "replicas differ"


def test_dynamics_of_a_step_is_that_of_the_solver():
    run = md.Config(temperatures_K=(400.0,), length_ps=0.01, frame_fs=1.0)
    config_ = dynamics.Config(run=run, segment_ps=0.003, transport={"skip_ps": 0.0})
    (found,) = dynamics.run(config_, potential.load("morse"), {"O3": cell()}).trajectories.values()
    seed = int(dynamics.digest([0, 400.0, 0])[:8], 16)
    how = solve.MdSettings(thermostat="rescale", every=1)
    facts = {"temperature_K": 400.0, "timestep_fs": 1.0, "steps": 10, "seed": seed, "settings": how}
    (plain,) = solve.run_md([cell()], potential.load("morse"), "nvt", **facts)
    assert np.array_equal(found.positions, plain.positions)
    assert found.steps == plain.steps == 10


def test_elastic_constants_of_one_cell_beside_another_are_its_own():
    model = potential.load("morse")
    how = elastic.Config(max_steps=300, stress_max_GPa=0.05, fmax_eV_per_A=0.01)
    p2 = build.bulk(build.Block("P2", 2, metals={"Co": 1.0}), (1, 1)).structure
    o3 = build.bulk(build.Block("O3", 3, metals={"Co": 1.0}), (1, 1)).structure
    alone = {name: elastic.run(how, model, {name: s}).answers[name] for name, s in (("P2", p2), ("O3", o3))}
    joint = elastic.run(how, model, {"P2": p2, "O3": o3}).answers
    for name, answer in joint.items():
        mine, theirs = answer.elastic.stiffness_GPa, alone[name].elastic.stiffness_GPa
        np.testing.assert_allclose(mine, theirs, rtol=0, atol=1e-9 * np.abs(theirs).max())


def test_a_cell_that_does_not_relax_has_a_reason_and_the_others_their_constants():
    how = elastic.Config(max_steps=6, stress_max_GPa=0.05, fmax_eV_per_A=0.01, relax=False)
    good = elastic.run(
        elastic.Config(max_steps=300, stress_max_GPa=0.05, fmax_eV_per_A=0.01),
        potential.load("morse"),
        {"O3": build.bulk(build.Block("O3", 3, metals={"Co": 1.0}), (1, 1)).structure},
    ).answers["O3"]
    rough = cell()
    rough = rough.moved_to(rough.positions + np.random.default_rng(0).normal(0, 0.2, rough.positions.shape))
    found = extras.constants(
        how, potential.load("morse"), {"good": good.structure, "rough": rough}, study.QUIET, "good"
    )
    assert set(found.missing) == {"rough"}
    assert "not relaxed" in found.missing["rough"]
    assert set(found.found.answers) == {"good"}
    assert extras.Extras(elastic=found).problems == [f"Elastic constants of rough: {found.missing['rough']}"]
