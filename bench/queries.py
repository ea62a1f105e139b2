"""What people type first, and every right answer: English names of concepts of the emoji set, each in full.

Not a matcher: a hit is right if its first English caption is one of the names, and only then ("hot dog" is no dog).
"""

from __future__ import annotations

_DOGS = {"dog", "dog face", "guide dog", "service dog", "poodle"}
_CATS = {
    *("cat", "cat face", "black cat", "grinning cat", "grinning cat with smiling eyes", "cat with tears of joy"),
    *("smiling cat with heart-eyes", "cat with wry smile", "kissing cat", "weary cat", "crying cat", "pouting cat"),
}
_SMILES = {
    *("smiling face", "smiling face with smiling eyes", "slightly smiling face", "smiling face with halo"),
    *("smiling face with hearts", "smiling face with heart-eyes", "smiling face with tear", "smirking face"),
    *("smiling face with open hands", "smiling face with sunglasses", "smiling face with horns"),
    *("grinning face", "grinning face with big eyes", "grinning face with smiling eyes", "grinning squinting face"),
    *("grinning face with sweat", "beaming face with smiling eyes", "kissing face with smiling eyes"),
}
_CARS = {
    *("automobile", "oncoming automobile", "sport utility vehicle", "racing car", "taxi", "oncoming taxi"),
    *("police car", "oncoming police car", "pickup truck"),
}
_MOONS = {
    *("new moon", "waxing crescent moon", "first quarter moon", "waxing gibbous moon", "full moon", "crescent moon"),
    *("waning gibbous moon", "last quarter moon", "waning crescent moon", "new moon face", "first quarter moon face"),
    *("last quarter moon face", "full moon face"),
}
_HEARTS = {
    *(f"{colour} heart" for colour in ("red", "pink", "orange", "yellow", "green", "blue", "light blue", "purple")),
    *("brown heart", "black heart", "grey heart", "white heart", "heart suit", "heart exclamation", "heart decoration"),
    *("heart with arrow", "heart with ribbon", "sparkling heart", "growing heart", "beating heart", "two hearts"),
    *("revolving hearts", "broken heart", "heart on fire", "mending heart"),
}
_FLOWERS = {
    *("bouquet", "cherry blossom", "white flower", "lotus", "rose", "wilted flower", "hibiscus", "sunflower"),
    *("blossom", "tulip", "hyacinth"),
}

#: the gate of the demo
DEMO = {
    "a dog": _DOGS,
    "red apple": {"red apple"},
    "guitar": {"guitar"},
    "강아지": _DOGS,
    "a smiling face": _SMILES,
}
#: others
MORE = {
    "a cat": _CATS,
    "개": _DOGS,
    "고양이": _CATS,
    "사과": {"red apple", "green apple"},
    "자동차": _CARS,
    "비행기": {"airplane", "small airplane", "airplane departure", "airplane arrival"},
    "a red heart": {"red heart"},
    "pizza": {"pizza"},
    "birthday cake": {"birthday cake"},
    "the moon": _MOONS,
    "bicycle": {"bicycle"},
    "a crying face": {"crying face", "loudly crying face"},
    "물고기": {"fish", "tropical fish", "blowfish"},
    "tree": {"evergreen tree", "deciduous tree", "palm tree", "Christmas tree", "tanabata tree"},
    "a cup of coffee": {"hot beverage"},
    "꽃": _FLOWERS,
    "기타": {"guitar"},
    "penguin": {"penguin"},
    "umbrella": {"umbrella", "closed umbrella", "umbrella with rain drops", "umbrella on ground"},
    "the sun": {"sun", "sun with face"},
    "a house": {"house", "house with garden", "houses", "derelict house"},
    "horse": {"horse", "horse face"},
    "하트": _HEARTS,
}
QUERIES = DEMO | MORE
