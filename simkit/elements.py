"""Chemical symbols, atomic numbers and masses."""

from __future__ import annotations

from simkit.errors import InputError, nearest

SYMBOLS: tuple[str, ...] = tuple(
    "X H He Li Be B C N O F Ne Na Mg Al Si P S Cl Ar K Ca Sc Ti V Cr Mn Fe Co Ni Cu Zn Ga Ge As Se Br Kr "
    "Rb Sr Y Zr Nb Mo Tc Ru Rh Pd Ag Cd In Sn Sb Te I Xe Cs Ba La Ce Pr Nd Pm Sm Eu Gd Tb Dy Ho Er Tm Yb Lu "
    "Hf Ta W Re Os Ir Pt Au Hg Tl Pb Bi Po At Rn Fr Ra Ac Th Pa U Np Pu Am Cm Bk Cf Es Fm Md No Lr "
    "Rf Db Sg Bh Hs Mt Ds Rg Cn Nh Fl Mc Lv Ts Og".split()
)
"""Symbol of each atomic number; entry 0 is a placeholder and no element."""

NUMBERS: dict[str, int] = {symbol: number for number, symbol in enumerate(SYMBOLS) if number}

MASSES_AMU: tuple[float, ...] = tuple(
    float(mass)
    for mass in (
        "nan 1.008 4.002602 6.94 9.0121831 10.81 12.011 14.007 15.999 18.998403162 20.1797 22.98976928 24.305 "
        "26.9815384 28.085 30.973761998 32.06 35.45 39.95 39.0983 40.078 44.955907 47.867 50.9415 51.9961 54.938043 "
        "55.845 58.933194 58.6934 63.546 65.38 69.723 72.630 74.921595 78.971 79.904 83.798 85.4678 87.62 88.905838 "
        "91.224 92.90637 95.95 97 101.07 102.90549 106.42 107.8682 112.414 114.818 118.710 121.760 127.60 126.90447 "
        "131.293 132.90545196 137.327 138.90547 140.116 140.90766 144.242 145 150.36 151.964 157.25 158.925354 "
        "162.500 164.930329 167.259 168.934219 173.045 174.9668 178.486 180.94788 183.84 186.207 190.23 192.217 "
        "195.084 196.966570 200.592 204.38 207.2 208.98040 209 210 222 223 226 227 232.0377 231.03588 238.02891 237 "
        "244 243 247 247 251 252 257 258 259 262 267 268 269 270 269 277 281 282 285 286 290 290 293 294 294"
    ).split()
)
"""Mass of each atomic number, amu: standard atomic weights 2021 (Prohaska et al., Pure Appl. Chem. 94, 573, 2022;
where that is an interval, its conventional value), or the mass number of a long-lived isotope where there is none.
Entry 0 is a placeholder."""


def atomic_number(symbol: str) -> int:
    """Atomic number of a chemical symbol. Raises InputError with the nearest symbol when unknown."""
    if symbol not in NUMBERS:
        raise InputError(f"unknown element {symbol!r}; {nearest(symbol, NUMBERS)}")
    return NUMBERS[symbol]
