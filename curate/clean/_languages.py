"""Which natural language is a text written in? By script first, then by the small words of languages in Latin letters.

Code, formulas, addresses and names in them count as no language: where little else is left, the language is unknown,
never some other one. Nothing is loaded and nothing is learned: the word lists below are all there is.
"""

import re
from collections import Counter
from functools import lru_cache
from typing import NamedTuple

# What opens and never closes is looked at so far and no further: a text of nothing but `\[` takes linear time.
_NO_LANGUAGE = re.compile(
    r"```.*?(?:```|\Z)|~~~.*?(?:~~~|\Z)|`[^`\n]*`|\$\$.*?\$\$|\$[^$\n]{1,400}\$|\\\[.{0,2000}?\\\]|\\\(.{0,1000}?\\\)"
    r"|\\begin\{(?P<env>[a-z]{1,30}\*?)\}.{0,4000}?\\end\{(?P=env)\}|\[asy\].{0,4000}?\[/asy\]|https?://\S+"
    r"|\\[A-Za-z]+\*?(?:\{[^{}]{0,400}\})?",
    re.DOTALL,
)
_WORDS = re.compile(r"[^\W\d_]+(?:['’][^\W\d_]+)?")
# Small words that hardly any text of a language goes without, and words that questions are asked with; what two
# languages share stands in both. Single ASCII letters are names in formulas and stand in none.
_SMALL = {
    "en": (
        "the of and to in is are was were an that what how many if for with on at by from has have it this be as "
        "each their his her they he she when which then than there will would can all find more one into after "
        "who"
    ),
    "fr": (
        "le la les des du de et est une un que qui dans pour sur avec par au aux ce cette sont il elle ne pas "
        "plus combien quel quelle se ses son sa nous vous ont été être chaque deux donc si ou où leur soit "
        "calculer calculez trouver trouvez déterminer déterminez montrer montrez tel tels telle telles tous "
        "toutes nombre nombres entier entiers reste quelles"
    ),
    "de": (
        "der die das und ist ein eine einer einem einen den dem des nicht von zu mit auf für sich wie viele wenn "
        "sind er sie es im in an bei als aus hat wird werden man auch welche welcher durch nach jeder jede zwei "
        "dass bestimme bestimmen berechne finde summe aller alle zahl zahlen dreieck sei gegeben gesucht wieviel "
        "größer kleiner unter über zeige"
    ),
    "es": (
        "el la los las de del es un una que en por para con se su sus cuántos cuántas cuál al lo como más son fue "
        "si no cada tiene hay está entre sobre qué cuando dos donde halla hallar calcula calcular encuentra todos "
        "todas números número suma triángulo quedan menores mayores demuestra tal"
    ),
    "it": (
        "il lo la gli le di del della dei delle è un una che in per con si non sono quanti quante quale al alla "
        "da nel nella ha come più ogni se due questo questa suo sua anche tra dove trova trovare calcola "
        "determina tutti tutte numeri numero somma triangolo sia restano minori maggiori dimostra tale"
    ),
    "pt": (
        "os as de do da dos das é um uma que em por para com se não são quantos quantas qual ao no na nos nas tem "
        "como mais cada seu sua foi quando dois ou está entre encontre calcule todos todas números número soma "
        "triângulo seja restam menores maiores mostre tal"
    ),
    "nl": (
        "de het een en van is in op te dat die met voor niet aan zijn er hoeveel als bij ook wordt naar om hij "
        "zij ze was heeft hebben worden elke twee dan welke door uit bepaal bereken som alle getallen getal "
        "driehoek kleiner groter laat over"
    ),
    "pl": (
        "na do jest nie że się ile jak to od po za są który która które dla jego jej przez ma oraz czy każdy "
        "każda jeśli przy tego dwa liczb liczby znajdź oblicz wyznacz wszystkich wszystkie sumę suma trójkąt "
        "liczba liczbę mniejszych większych udowodnij"
    ),
    "cs": (
        "na je se že do to kolik jak od po za jsou který která které pro jeho její má nebo aby každý když pokud "
        "není dva ve jaký jaká než najděte určete vypočtěte součet všech všechna čísel číslo čísla trojúhelník "
        "menších"
    ),
    "ro": (
        "și în de la este un care cu pe din nu sunt câte câți ce se pentru prin al ale lui ei fiecare dacă mai "
        "are sau doi două aflați determinați calculați tuturor toate numerelor numere numărul suma triunghi fie "
        "decât mici rămân arătați"
    ),
    "sv": (
        "och att det en ett som är på av för med den till inte har om hur många de han hon var kan från varje vad "
        "eller två när vilken bestäm beräkna summan alla talet tal triangel mindre större finns visa"
    ),
    "da": (
        "og at det en et som er på af for med den til ikke har om hvor mange de han hun var kan fra hver hvad "
        "eller to når bestem beregn summen alle tallet tal trekant mindre større findes vis"
    ),
    "tr": (
        "ve bir bu için ile de da kaç ne olan olarak en her daha gibi ise kadar sonra iki nedir olduğu var mı "
        "sayı bulunuz bulun tüm sayıların sayısı sayılar toplamı toplamını kaçtır üçgen küçük büyük değeri"
    ),
    "vi": (
        "là của và một có các cho được trong với không bao nhiêu số hai người những này đó để khi từ hỏi tìm tính "
        "tổng tất cả nhỏ hơn lớn tam giác chứng minh"
    ),
    "id": (
        "yang dan di dari untuk dengan adalah ini itu pada ke tidak berapa jika dalam sebuah akan oleh setiap dua "
        "atau memiliki jumlah banyak tentukan hitunglah carilah semua bilangan kurang lebih segitiga sama "
        "buktikan"
    ),
    "hu": (
        "az és hogy egy nem van hány mint ha is meg ez minden két volt mennyi melyik vagy csak szám legyen akkor "
        "ezt számot határozd határozzuk számítsd összes összegét számok háromszög kisebb nagyobb marad"
    ),
    "fi": (
        "ja on ei että se joka kuinka monta kun jos mikä niin ovat oli hän tai kuin kaksi mutta luku myös "
        "jokainen laske etsi määritä kaikki kaikkien lukujen lukua kolmio pienempi suurempi jotka jäljellä"
    ),
}
_LANGUAGES: dict[str, tuple[str, ...]] = {}
for _name, _list in _SMALL.items():
    for _word in _list.split():
        _LANGUAGES[_word] = tuple(dict.fromkeys((*_LANGUAGES.get(_word, ()), _name)))
_ENGLISH = frozenset(_SMALL["en"].split())
# No other list has one of these.
_OWN = frozenset(("the", "of", "and", "how", "what", "with", "each", "which", "that", "from", "their", "have"))
_PLAIN = re.compile(r"[A-Za-z]+")
# First code point after a range, and the script of the range; letters alone are asked for.
_RANGES = (
    (0x0250, "latin"), (0x0370, "other"), (0x0400, "greek"), (0x0530, "cyrillic"), (0x0590, "armenian"),
    (0x0600, "hebrew"), (0x0780, "arabic"), (0x0900, "other"), (0x0980, "devanagari"), (0x0A00, "bengali"),
    (0x0B80, "other"), (0x0C00, "tamil"), (0x0C80, "telugu"), (0x0E00, "other"), (0x0E80, "thai"), (0x10A0, "other"),
    (0x1100, "georgian"), (0x1200, "hangul"), (0x1E00, "other"), (0x1F00, "latin"), (0x2000, "greek"),
    (0x2C60, "other"), (0x2C80, "latin"), (0x3040, "other"), (0x3100, "kana"), (0x3130, "han"), (0x3190, "hangul"),
    (0x31F0, "han"), (0x3200, "kana"), (0x3400, "other"), (0xA000, "han"), (0xAC00, "other"), (0xD7B0, "hangul"),
    (0xF900, "other"), (0xFB00, "han"), (0xFB50, "other"), (0xFE00, "arabic"), (0xFE70, "other"), (0xFF00, "arabic"),
    (0xFF66, "other"), (0xFFA0, "kana"), (0x20000, "other"), (0x33480, "han"), (0x110000, "other"),
)  # fmt: skip
_BY_SCRIPT = {
    "greek": "el", "armenian": "hy", "hebrew": "he", "arabic": "ar", "devanagari": "hi", "bengali": "bn", "tamil": "ta",
    "telugu": "te", "thai": "th", "georgian": "ka", "hangul": "ko",
}  # fmt: skip
NAMES = frozenset({*_SMALL, *_BY_SCRIPT.values(), "zh", "ja", "ru", "uk"})
_DENSE = frozenset({"han", "kana", "hangul"})  # one sign of these says as much as two or three letters
_LEAST_LETTERS = 12  # fewer letters say nothing; half of it in scripts that formulas are not written in
_LEAST_WORDS = 5  # fewer words in Latin letters say nothing
_SURE = 0.12  # share of small words from which on a language is taken to be seen


class Language(NamedTuple):
    """A language (ISO 639-1) or None where the text does not say; `share` of its letters, or of its small words."""

    name: str | None
    share: float
    letters: int


UNKNOWN = Language(None, 0.0, 0)


def language_of(text: str) -> Language:
    """The language that most of a text is written in."""
    if text.isascii():
        quick = _english(text)
        if quick is not None:
            return quick
    text = _NO_LANGUAGE.sub(" ", text)
    if text.isascii():
        return _latin(text)
    counts = Counter(map(_script, text))
    del counts[""]
    weights = {script: count * (2 if script in _DENSE else 1) for script, count in counts.items()}
    # A Greek letter by itself is a symbol, and so is a single sign of any script.
    weights["greek"] = weights.get("greek", 0) if re.search(r"[\u0370-\u03ff\u1f00-\u1fff]{3}", text) else 0
    total = sum(weights.values())
    dense = sum(weights.get(script, 0) for script in _DENSE)
    script = max(weights, key=lambda one: (weights[one], one))
    if dense > weights[script]:
        script = "han"
    if total < (_LEAST_LETTERS if script in ("latin", "greek") else _LEAST_LETTERS // 2):
        return UNKNOWN
    if script == "latin":
        return _latin(text)
    share = (dense if script in _DENSE else weights[script]) / total
    return Language(_named(script, counts, text), share, sum(counts.values()))


def _named(script: str, counts: "Counter[str]", text: str) -> str | None:
    if script in _DENSE:
        # Japanese is written with kana between its signs, Korean in hangul with few of them.
        if counts["hangul"] > counts["kana"] + counts["han"]:
            return "ko"
        return "ja" if counts["kana"] * 10 > counts["han"] + counts["kana"] else "zh"
    if script == "cyrillic":
        lower = text.lower()
        ukrainian = sum(map(lower.count, "іїєґ"))
        return "uk" if ukrainian > sum(map(lower.count, "ыэъё")) else "ru"
    return _BY_SCRIPT.get(script)


@lru_cache(maxsize=8192)
def _script(sign: str) -> str:
    if not sign.isalpha():
        return ""
    code = ord(sign)
    return next(script for end, script in _RANGES if code < end)


def _english(text: str) -> Language | None:
    """English, where the first words of an ASCII text leave no doubt; None: look closer."""
    words = _PLAIN.findall(text[:240])
    small = sum(word in _ENGLISH for word in words)
    sure = len(words) >= 2 * _LEAST_WORDS and small >= len(words) / 5 and len(_OWN.intersection(words)) >= 2
    return Language("en", small / len(words), len(text)) if sure else None


def _latin(text: str) -> Language:
    words = [word for word in _WORDS.findall(text.lower()) if len(word) > 1 or not word.isascii()]
    votes: Counter[str] = Counter()
    for word in words:
        votes.update(_LANGUAGES.get(word, ()))
    if len(words) < _LEAST_WORDS or not votes:
        return UNKNOWN
    name = max(votes, key=lambda one: (votes[one], one == "en", one))
    most = votes[name]
    share = most / len(words)
    found = Language(name, share, sum(map(len, words)))
    if name == "en":
        return found if share >= _SURE / 2 else UNKNOWN._replace(share=share)
    # Another language is one whose words are many, and far more than English ones: names and quotations are neither.
    sure = most >= 3 and share >= _SURE and most >= 2 * votes["en"]
    brief = most >= 2 and share >= 2 * _SURE and not votes["en"]
    return found if sure or brief else UNKNOWN._replace(share=share)
