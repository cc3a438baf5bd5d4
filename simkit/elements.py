"""Chemical symbols and atomic numbers."""

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


def atomic_number(symbol: str) -> int:
    """Atomic number of a chemical symbol. Raises InputError with the nearest symbol when unknown."""
    if symbol not in NUMBERS:
        raise InputError(f"unknown element {symbol!r}; {nearest(symbol, NUMBERS)}")
    return NUMBERS[symbol]
