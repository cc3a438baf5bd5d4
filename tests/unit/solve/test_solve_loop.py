"""What is attached to the one loop: observers, saves and both together."""

from simkit.solve.loop import Hooks, Summary, also_saving, hooks_of, iterate


def counting_to(last, hooks):
    return iterate(lambda: 0, lambda n: n + 1, lambda n: n >= last, lambda n: Summary(n, 1, 1, [1.0], [0.0], n), hooks)


def test_a_save_of_ones_own_comes_before_that_of_the_hooks_it_joins():
    told = []
    theirs = Hooks(save=lambda n: told.append(("theirs", n)), save_every=1, restore=lambda first: first + 5)
    joined = also_saving(theirs, lambda n: told.append(("own", n)))
    assert counting_to(7, joined) == 7
    steps = [n for who, n in told if who == "own"]
    assert set(steps) == {6, 7}, "restored at 5, then every step"
    assert told[:2] == [("own", 6), ("theirs", 6)]
    assert [n for who, n in told if who == "theirs"] == steps


def test_an_observer_alone_is_kept_and_nothing_is_nothing():
    seen, kept = [], []
    joined = also_saving(lambda step, summary: seen.append(step), kept.append)
    counting_to(3, joined)
    assert seen == [1, 2, 3]
    assert set(kept) == {1, 2, 3}
    assert hooks_of(None) == Hooks()
