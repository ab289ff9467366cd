"""Which effects a wide-spectrum prompt asks for, read from its words.

Three kinds of words speak of a dimension. A *fault* asks for it by itself ("blurry"). A *virtue*
asks for it where the prompt says that it is lacking ("no shadows", "lacks harmony"). A *topic* asks
for it where something bad is said of it in the same clause ("an ugly background"). A fault that the
clause denies ("not blurry") asks for nothing.

The words are those of the dimensions' meanings and their everyday synonyms. Word lists have their
limits: irony, comparison and metaphor are beyond them.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import lru_cache
from typing import Final

_CLAUSE: Final = re.compile(r"[.,;:!?()\u2014]|\b(?:but|while|although|though)\b")
_REACH: Final = r"(?:\W+[\w'-]+){0,4}?\W+"
_DENIAL: Final = (
    r"\b(?:no|not|never|nothing|nobody|none|without|neither|nor|hardly|cannot|\w+n't|free of|"
    r"avoid\w*|instead of|rather than)\b"
)
_LACK: Final = (
    r"\b(?:no|not|never|nothing|none|without|neither|nor|hardly|barely|scarcely|little|few|"
    r"cannot|\w+n't|lack(?:s|ing|ed)?|missing|absen(?:t|ce of)|devoid|deprived|stripp?(?:ed)?|"
    r"removed?|low|lower|weak|minimal|drained|anything but|far from|instead of)\b"
)
_GONE: Final = r"\b(?:gone|missing|absent|lacking|lost|removed|stripped|vanished)\b"
_BAD: Final = (
    r"\b(?:ugly|poor(?:ly)?|bad(?:ly)?|hideous|awful|terrible|unpleasant|unattractive|messy|"
    r"wrong|unnatural|low-quality|sloppy|broken|horrible|inferior|crude(?:ly)?|"
    r"rough(?:ly)?|careless(?:ly)?|flawed|weird|strange|worst)\b"
)
_SETTING: Final = r"(?:backgrounds?|backdrops?|surroundings|settings?)"


@dataclass(frozen=True, kw_only=True)
class Cues:
    """The words that speak of one effect's dimension, as alternatives of a pattern."""

    faults: str
    virtues: str
    topics: str


_CUES: Final[dict[str, Cues]] = {
    "clarity": Cues(
        faults=r"blur\w*|out[- ]of[- ]focus|unfocus\w*|defocus\w*|unsharp|fuzzy|hazy|foggy|fogged|"
        r"smear\w*|noisy|noise|grain(?:y|iness)|pixelat\w*|indistinct|unclear|"
        r"hard to (?:read|make out|discern)|low[- ]resolution|distort\w*",
        virtues=r"sharp\w*|focus\w*|crisp\w*|clarity|clear(?:ly)?|resolution|in focus",
        topics=r"clarity|focus|sharpness",
    ),
    "color-brightness": Cues(
        faults=r"dark\w*|dim(?:ly|med)?|underexpos\w*|underlit|murky|washed[- ]out|faded|muted|"
        r"desaturat\w*|drained|colou?rless|gr[ae]yish|pale|bleached|"
        r"(?:dull|lifeless|weak)(?:\W+\w+)? colou?rs?",
        virtues=r"vivid\w*|bright\w*|glow\w*|saturat\w*|radian\w*|luminous|colou?r",
        topics=r"colou?r brightness|brightness|exposure|saturation",
    ),
    "color-aesthetic": Cues(
        faults=r"clash\w*|garish\w*|gaudy|lurid|discordant|disharmon\w* (?:\w+ )?colou?rs?|"
        r"colou?r\w*(?:\W+\w+){0,3}\W+disharmon\w*|sickly|jarring|neon|acid|"
        r"eyesore|mismatched colou?rs?|nauseat\w*",
        virtues=r"(?:colou?r )?harmon\w*|pleasing colou?rs?",
        topics=r"colou?rs?(?! brightness)|palettes?|hues?|tints?",
    ),
    "lighting-distinction": Cues(
        faults=r"shadowless|flat(?:ly)?[- ](?:lit|light\w*)|evenly lit|lit so evenly|"
        r"(?:flat|even|uniform|featureless|dull|diffuse) (?:and \w+ )?(?:\w+ )?(?:light|lighting|"
        r"illumination)|(?:light|lighting|illumination) (?:is|was|looks)?\W*(?:\w+ )?(?:and )?"
        r"(?:flat|even|uniform|featureless|dull)|uniformly lit",
        virtues=r"shadows?|shades?|highlights?|light|contrasts?|depth|drama",
        topics=r"lighting|illumination|contrast",
    ),
    "detail-refinement": Cues(
        faults=r"mush\w*|crude\w*|coarse\w*|clumsy|smudg\w*|unrefined|unfinished|lumpy|sloppy|"
        r"blobs?|blotch\w*|daub\w*|fragmented|broken|roughly|half-finished|botched",
        virtues=r"(?:fine )?details?|texture[sd]?|refine\w*|detailed|intricate|workmanship",
        topics=r"details?|parts|rendering|execution|texture[sd]?",
    ),
    "detail-realism": Cues(
        faults=r"unreal(?:istic\w*)?|fake|artificial\w*|plastic\w*|synthetic\w*|cartoon\w*|"
        r"posteri[sz]\w*|computer-made|band(?:ed|ing)|warped|implausibl\w*|impossible anatomy|"
        r"waxy|toy-like",
        virtues=r"realis(?:m|tic\w*)|real|lifelike|natural|authentic\w*|true to life",
        topics=r"realism|surfaces?|materials?|anatomy",
    ),
    "background": Cues(
        faults=rf"(?:drab|stained|muddy|shabby|dirty|blank|empty|bare|featureless|cluttered|chaotic|"
        rf"plain|bland|dull|lifeless|missing|absent) (?:\w+ )?{_SETTING}|"
        rf"{_SETTING} (?:is|are|looks?|seems?)\W+(?:\w+\W+)?(?:drab|stained|muddy|murky|shabby|"
        r"dirty|blank|empty|bare|featureless|cluttered|chaotic|plain|missing|absent|gone|pixelated)",
        virtues=_SETTING,
        topics=_SETTING,
    ),
    "main-object": Cues(
        faults=r"(?:barely|hardly|scarcely|not) (?:visible|noticeable|seen|recogni[sz]able|"
        r"be (?:made out|seen|found|recogni[sz]ed))|inconspicuous|unnoticeable|unnoticed|"
        r"unremarkable|peripheral|tiny|"
        r"hidden|fad(?:es?|ing) into|blend(?:s|ing)? into|dissolv\w+ into|vanish\w*|overlooked|"
        r"easy to (?:overlook|miss)|hard to find|nobody would notice|lost in the|obscured|faint",
        virtues=r"prominen\w*|noticeable|recogni[sz]able|(?:main|clear) (?:subject|object)",
        topics=r"(?:main )?(?:subject|object|focal point)",
    ),
    "richness": Cues(
        faults=r"sparse\w*|barren|emptiness|monotonous|monotony|void|"
        rf"(?:bare|vacant|empty|blank)(?! (?:\w+ )?(?:wall|{_SETTING}))|"
        r"(?:almost|nearly|next to|hardly) (?:nothing|anything|everything|empty|no content)|"
        r"very little (?:in|to see)|minimal content|plain ground",
        virtues=r"richness|content|abundance|variety|elements|much to see",
        topics=r"content|richness",
    ),
    "object-pairing": Cues(
        faults=r"incongru\w*|mismatch\w*|unrelated|out of place|incompatib\w*|pasted|collage|"
        r"(?:do|does) not (?:belong|match|fit|go together)|absurd\w*|ill-matched|"
        r"nothing to do with|disharmon\w*|uncoordinated|at odds with|no relation",
        virtues=r"belongs?|relation|coordinat\w*|coheren\w*|go together|matching",
        topics=r"(?:object )?(?:pairing|combination of (?:objects|things|parts))",
    ),
    "emotion": Cues(
        faults=r"gloom\w*|bleak\w*|sad(?:ly|ness)?|sorrow\w*|oppressive\w*|dismal|depress\w*|"
        r"dread\w*|despair\w*|somb(?:re|er)|joyless|mourn\w*|melanchol\w*|grief|griev\w*|fear\w*|"
        r"eerie|hopeless(?:ness)?|miser\w*|anger|angry|anguish|disgust\w*|horror|terror|ominous|lonel\w*|"
        r"unhapp\w*|distress\w*",
        virtues=r"joy|comfort|happiness|warmth|hope|cheer",
        topics=r"mood|emotions?|atmosphere|feeling",
    ),
    "symmetry": Cues(
        faults=r"lopsided|asymmetr\w*|off-?(?:balance|cent(?:er|re))d?|unbalanced|imbalanced?|"
        r"askew|skewed|crooked|badly balanced|(?:to|on|at|into) (?:one|the) (?:side|edge|corner)|"
        r"unsymmetrical",
        virtues=r"symmetr\w*|balanced?",
        topics=r"composition|balance|layout|framing",
    ),
}


@dataclass(frozen=True, kw_only=True)
class _Pattern:
    fault: re.Pattern[str]
    lacking: re.Pattern[str]
    bad: re.Pattern[str]


def _compile(cues: Cues) -> _Pattern:
    virtue = rf"\b(?:{cues.virtues})\b"
    topic = rf"\b(?:{cues.topics})\b"
    return _Pattern(
        fault=re.compile(rf"\b(?:{cues.faults})\b"),
        lacking=re.compile(rf"{_LACK}{_REACH}{virtue}|{virtue}{_REACH}{_GONE}"),
        bad=re.compile(rf"{_BAD}.*{topic}|{topic}.*{_BAD}"),
    )


_DENIED: Final = re.compile(rf"{_DENIAL}{_REACH}$")
_PATTERNS: Final = {name: _compile(cues) for name, cues in _CUES.items()}


@lru_cache(maxsize=4096)
def requested_effects(prompt: str) -> tuple[str, ...]:
    """The effects that a prompt asks for, in the order of `EFFECTS`; empty: none was read.

    A request is read clause by clause, whatever its case.

    Example:
        >>> requested_effects("A street, very blurry and sad.")
        ('clarity', 'emotion')
        >>> requested_effects("A street.")
        ()
    """
    clauses = [clause for clause in _CLAUSE.split(prompt.lower()) if clause]
    return tuple(
        name
        for name, pattern in _PATTERNS.items()
        if any(_asks(pattern, clause) for clause in clauses)
    )


def _asks(pattern: _Pattern, clause: str) -> bool:
    faults = [clause[: found.start()] for found in pattern.fault.finditer(clause)]
    if faults:
        return not all(_DENIED.search(before) for before in faults)
    return bool(pattern.lacking.search(clause) or pattern.bad.search(clause))
