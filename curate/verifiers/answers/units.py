"""Units of measurement and counting words: one spelling, a dimension and an exact scale to it.

Scales are the definitions of the international system and of the international yard and pound (1959).
"""

import re
from fractions import Fraction
from functools import lru_cache
from typing import NamedTuple

from curate.verifiers.answers.node import names

_TABLE = {
    "length": "1 m metre meter;1/100 cm centimetre centimeter;1/1000 mm millimetre millimeter;"
    "1000 km kilometre kilometer;254/10000 inch inches;3048/10000 ft foot feet;9144/10000 yd yard;1609344/1000 mi mile",
    "mass": "1 g gram gramme;1000 kg kilogram kilo;1/1000 mg milligram;45359237/100000 lb lbs pound;"
    "28349523125/1000000000 oz ounce",
    "time": "1 s sec second;60 min minute;3600 h hr hour;86400 d day;604800 week;1/1000 ms millisecond",
    "money": "1 $ usd dollar buck;1/100 cent ¢",
    "angle": "1 degree deg °",
    "current": "1 amp ampere",
    "substance": "1 mol mole",
}
_OTHER = {
    "€": "euro",
    "eur": "euro",
    "£": "pound sterling",
    "¥": "yen",
    "years old": "year",
    "yr": "year",
    "yrs": "year",
}
_LITRE = {"l": Fraction(1, 1000), "litre": Fraction(1, 1000), "liter": Fraction(1, 1000), "ml": Fraction(1, 10**6),
          "millilitre": Fraction(1, 10**6), "milliliter": Fraction(1, 10**6)}  # fmt: skip
_KNOWN = {
    word: (dimension, Fraction(scale))
    for dimension, lines in _TABLE.items()
    for line in lines.split(";")
    for scale, *words in (line.split(),)
    for word in words
}
# Units named after people and their prefixes, where capitals count: `MJ` is not `mJ`. Masses are in grams.
_DERIVED = {
    ("N", "newton"): "mass length time^-2 1000",
    ("Pa", "pascal"): "mass length^-1 time^-2 1000",
    ("J", "joule"): "mass length^2 time^-2 1000",
    ("W", "watt"): "mass length^2 time^-3 1000",
    ("Wh", "watthour"): "mass length^2 time^-2 3600000",
    ("V", "volt"): "mass length^2 time^-3 current^-1 1000",
    ("eV", "electronvolt"): "mass length^2 time^-2 1.602176634e-16",
    ("Hz", "hertz"): "time^-1 1",
}
_PREFIXES = {("", ""): "1", ("k", "kilo"): "1e3", ("M", "mega"): "1e6", ("G", "giga"): "1e9", ("m", "milli"): "1e-3"}
_TEMPERATURES = {"c": "celsius", "celsius": "celsius", "f": "fahrenheit", "fahrenheit": "fahrenheit"}
_SPEED = {"mph": "mile/hour", "kph": "km/hour", "kmh": "km/hour"}
_SILENT = names("a an the of in each total about approximately exactly")
# Words after a number that change its value or join it to another: never a unit.
_NEVER = names(
    """
    hundred hundreds thousand thousands million millions billion billions trillion trillions dozen dozens half halves
    third thirds quarter quarters pi sqrt exp and or to plus minus times over mod less more than not but if through
    between squared cubed factorial choose is are where when for with only no either at least most therefore thus so
    base undefined infinity odd even true false yes solution solutions answer
    """
)
_PART = re.compile(r"[A-Za-z]+|[$€£¥¢°]|\^\s*\{?\s*(-?\d)\s*\}?|/|\\cdot|·|\*|-")
_LONGEST = 60  # characters


class Unit(NamedTuple):
    """Dimensions with their exponents, sorted, and how many of the table's first units one such unit is."""

    dimensions: tuple[tuple[str, int], ...]
    scale: Fraction

    def known(self) -> bool:
        """Whether every dimension is one of measurement, so that two different ones surely differ."""
        return all(name in _TABLE for name, _ in self.dimensions)


SYMBOLS: dict[str, Unit] = {}
for _signs, _line in _DERIVED.items():
    *_powers, _scale = _line.split()
    _dimensions = tuple((one.partition("^")[0], int(one.partition("^")[2] or 1)) for one in _powers)
    for _prefix, _times in _PREFIXES.items():
        for _front, _back in zip(_prefix, _signs, strict=True):
            SYMBOLS[_front + _back] = Unit(_dimensions, Fraction(_scale) * Fraction(_times))
PLAIN_DEGREE = Unit((("angle", 1),), Fraction(1))
CELSIUS, FAHRENHEIT = (Unit(((name, 1),), Fraction(1)) for name in ("celsius", "fahrenheit"))


@lru_cache(maxsize=4096)
def unit(text: str) -> Unit | None:
    """The unit that a text names, or None where it is none: `cm^2`, `square feet`, `miles per hour`, `green eggs`."""
    text = text.strip(" .\\~")
    if not text or len(text) > _LONGEST:
        return None
    parts = [match.group() for match in _PART.finditer(text)]
    if "".join(parts).replace(" ", "") != re.sub(r"[\s.{}]", "", text).replace("\\cdot", "\\cdot"):
        parts = [part for part in parts if part]
        if re.sub(r"[\s.{}^\-]", "", "".join(parts)) != re.sub(r"[\s.{}^\-]", "", text):
            return None
    return _built([part if part in SYMBOLS else part.lower() for part in parts])


def _built(parts: list[str]) -> Unit | None:
    dimensions: dict[str, int] = {}
    scale = Fraction(1)
    words: list[str] = []
    sign = power = 1
    last: tuple[dict[str, int], Fraction] = ({}, Fraction(1))
    for part, after in zip([*parts, "end"], [*parts[1:], "end", "end"], strict=True):
        if part == "in" and not words and (after in ("end", "per") or not after.isalpha()):
            part = "inch"  # `5 in`, not `5 in all`
        if part.startswith("^"):
            exponent = int(re.sub(r"[^\d-]", "", part))
            closed = _named(words, power * exponent, sign)
        elif part in ("/", "per", "\\cdot", "·", "*", "-", "end", "square", "cubic", "sq", "cu"):
            closed = _named(words, power, sign)
        elif part in _NEVER:
            return None
        else:
            if part not in _SILENT:
                words.append(part)
            continue
        words, last, power = [], closed, 1
        for name, exponent in last[0].items():
            dimensions[name] = dimensions.get(name, 0) + exponent
        scale *= last[1]
        sign = -1 if part in ("/", "per") else sign
        power = {"square": 2, "sq": 2, "cubic": 3, "cu": 3}.get(part, 1)
    found = tuple(sorted((name, exponent) for name, exponent in dimensions.items() if exponent))
    return Unit(found, scale) if found else None


def _named(words: list[str], power: int, sign: int) -> tuple[dict[str, int], Fraction]:
    if not words:
        return {}, Fraction(1)
    if len(words) == 2 and words[0] in ("degree", "degrees", "deg", "°") and words[1] in _TEMPERATURES:
        return {_TEMPERATURES[words[1]]: sign * power}, Fraction(1)
    measured = [_measured(word) for word in words]
    if None not in measured:
        return _product([one for one in measured if one is not None], power, sign)
    name = " ".join(_OTHER.get(word, word if len(word) < 4 else word.removesuffix("s")) for word in words)
    return {name: sign * power}, Fraction(1)


def _product(units: list[Unit], power: int, sign: int) -> tuple[dict[str, int], Fraction]:
    """`m s^{-2}`: units side by side, of which the last has the power."""
    dimensions: dict[str, int] = {}
    scale = Fraction(1)
    for place, one in enumerate(units, 1):
        exponent = sign * (power if place == len(units) else 1)
        for name, times in one.dimensions:
            dimensions[name] = dimensions.get(name, 0) + times * exponent
        scale *= one.scale**exponent
    return dimensions, scale


def _measured(word: str) -> Unit | None:
    """What one word measures, if it is a unit of measurement."""
    if word in _SPEED:
        return unit(_SPEED[word])
    for one in (word, word.removesuffix("s"), word.removesuffix("es")):
        if one in SYMBOLS and (one == word or len(one) > 3):
            return SYMBOLS[one]
        if one in _KNOWN:
            name, scale = _KNOWN[one]
            return Unit(((name, 1),), scale)
        if one in _LITRE:
            return Unit((("length", 3),), _LITRE[one])
    return None
