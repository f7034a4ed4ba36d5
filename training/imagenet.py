"""Which of the 1000 ImageNet classes is which breed.

ImageNet's classes are numbered in the order of their WordNet ids, and Stanford
Dogs names its folders by them, so the numbers follow from the file names.
"""

from __future__ import annotations

from training.data import Crops

#: ImageNet numbers its dog breeds 151…268 in WordNet order: Stanford's breeds and the dalmatian.
FIRST_DOG = 151
DALMATIAN = "n02110341"
#: Stanford's three wild canids stand apart.
WILD = {"n02115641": 273, "n02115913": 274, "n02116738": 275}
#: Cats with a class of their own, by breed id.
CATS = {"persian": 283, "siamese": 284, "egyptian_mau": 285}


def imagenet_classes(crops: Crops) -> dict[int, int]:
    """Label → ImageNet class (0…999) of every Stanford breed in ``crops``."""
    wnids = {
        source.split("/")[0]: int(label)
        for source, label in zip(crops.sources, crops.labels, strict=True)
        if source.startswith("n0") and "/" in source
    }
    domestic = sorted({*wnids, DALMATIAN} - set(WILD))
    numbers = {wnid: FIRST_DOG + position for position, wnid in enumerate(domestic)} | WILD
    return {label: numbers[wnid] for wnid, label in wnids.items()}
