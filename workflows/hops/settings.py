"""What may be asked of the hops of a cell, and of the network they make."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from simkit.config import Section

ATTEMPTS_PER_S = 1e13


class Kinetics(Section):
    """How diffusion over the networks of hops is found.

    attempts        "stated": attempts_per_s for every hop; "harmonic": of each hop by harmonic transition state theory
    attempts_per_s  how often an ion tries
    temperatures_K  of kinetic Monte Carlo and of the exact walk of one vacancy
    vacancy_fraction  empty sites per site in kinetic Monte Carlo: the same in every region, or D could not be compared
    repeats         of the cell along a, b, c, at least; more along a and b until the empty sites are a whole number
    replicas, jumps_per_ion  independent runs, and how long they are
    seed            of the random numbers
    """

    attempts: Literal["stated", "harmonic"] = "stated"
    attempts_per_s: float = Field(default=ATTEMPTS_PER_S, gt=0)
    temperatures_K: list[float] = Field(default_factory=lambda: [300.0, 400.0, 500.0, 600.0], min_length=1)
    vacancy_fraction: float = Field(default=0.1, gt=0, lt=1)
    repeats: list[int] = Field(default_factory=lambda: [1, 1, 1], min_length=3, max_length=3)
    replicas: int = Field(default=16, ge=2)
    jumps_per_ion: float = Field(default=100.0, gt=0)
    seed: int = Field(default=0, ge=0)


class Hopping(Section):
    """Which hops of an ion, and how their barriers are found.

    ion         what hops
    sites       for hops = "kinds": sites of the "galleries" of a layered oxide, or places of the "ions" of any crystal
    hops        "kinds": a few of each phase, inside it and at the interface; "distinct": one of each class of alike
                hops; "all": every hop
    hops_per_kind  for hops = "kinds"
    mechanisms  vacancy: into a site that is emptied; interstitial: into an empty site as things are; divacancy: with a
                common neighbour empty as well, through the tetrahedron; metal: from a slab into the layer of the ions
    cutoff_A    longest hop
    finder      "auto": the builder's sites, else those of the galleries, and voids; "voronoi": voids alone
    alike       what makes hops alike: "symmetry", "surroundings", or "auto": symmetry where the cell has any
    tetrahedra  whether tetrahedral voids are sites at which an alkali ion may end
    phases, galleries, heights_A  only hops that start or end in these; heights are a pair above the origin
    number      at most so many of each cell, in turn of each mechanism, phase and kind
    images      moving images of each band
    climb       whether the highest image climbs to the saddle
    fmax_eV_per_A         on the climbing image
    barrier_change_eV     over the last steps
    end_fmax_eV_per_A     of the relaxed ends; at 0.03 ions of P2 can rest on shelves 0.2 eV above where they would go
    barrier_error_eV      by which a saddle may still lie too high, as far as the forces of all atoms tell; with a
                          host's Hessian, which tells it well, the ends lie within half of it, too
    max_steps             of the ends, and of the bands
    optimiser             of the ends, and of the bands: "lbfgs", "ode12r", "fire2", "abcfire"; "fire" is "fire2";
                          "auto": lbfgs, and ode12r for the bands of a batch with a host's Hessian in it
    preconditioner        of lbfgs and ode12r: "host", the Hessian of the cell the ions hop in, once for all; "exp",
                          springs between neighbours; "none"; "auto": host where it saves more than it costs,
                          else exp
    refine      whether bands are looked at again: in other orders where other ions change their sites as well, and in
                pieces, each with a climbing image of its own, where the ions rest on the way, up to three times; it
                asks several times as many evaluations
    network     whether hops that are "distinct" or "all" (with no `number`) are joined into a network
    kinetics    how diffusion over it is found
    """

    ion: str = "Na"
    sites: Literal["galleries", "ions"] = "galleries"
    hops: Literal["kinds", "distinct", "all"] = "kinds"
    hops_per_kind: int = Field(default=1, gt=0)
    mechanisms: list[Literal["vacancy", "interstitial", "divacancy", "metal"]] = Field(
        default_factory=lambda: ["vacancy", "interstitial"], min_length=1
    )
    cutoff_A: float = Field(default=3.6, gt=0)
    finder: Literal["auto", "voronoi"] = "auto"
    alike: Literal["auto", "symmetry", "surroundings"] = "auto"
    tetrahedra: bool = False
    phases: list[str] | None = None
    galleries: list[int] | None = None
    heights_A: list[float] | None = Field(default=None, min_length=2, max_length=2)
    number: int | None = Field(default=None, gt=0)
    images: int = Field(default=5, gt=0)
    climb: bool = True
    fmax_eV_per_A: float = Field(default=0.03, gt=0)
    barrier_change_eV: float = Field(default=0.005, gt=0)
    end_fmax_eV_per_A: float = Field(default=0.005, gt=0)
    barrier_error_eV: float = Field(default=0.002, gt=0)
    max_steps: int = Field(default=200, gt=0)
    optimiser: Literal["auto", "lbfgs", "ode12r", "fire2", "abcfire", "fire"] = "auto"
    preconditioner: Literal["auto", "host", "exp", "none"] = "auto"
    refine: bool = False
    network: bool = True
    kinetics: Kinetics = Kinetics()


class Paths(Section):
    """Which variants of a study's cell `simkit neb` compares.

    contents  sodium per metal of every gallery, each in turn; empty: as the blocks say
    seeds     of the metal arrangement, each in turn; empty: that of the study
    pure      whether each phase alone, at the same sodium content and in-plane lattice, is looked at beside
    """

    contents: list[float] = Field(default_factory=list)
    seeds: list[int] = Field(default_factory=list)
    pure: bool = True
