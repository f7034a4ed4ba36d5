"""Map breeds to the 1000 ImageNet classes.

ImageNet numbers its classes in the order of their WordNet ids, which Stanford Dogs uses in file names.
"""

from __future__ import annotations

from training.data import Crops

#: Class of the first dog breed: 151…268 are Stanford's breeds and the dalmatian, in WordNet order.
FIRST_DOG = 151
#: WordNet ids of these breeds in that order, without the leading ``n02``.
DOGS = """
    085620 085782 085936 086079 086240 086646 086910 087046 087394 088094 088238 088364 088466 088632
    089078 089867 089973 090379 090622 090721 091032 091134 091244 091467 091635 091831 092002 092339
    093256 093428 093647 093754 093859 093991 094114 094258 094433 095314 095570 095889 096051 096177
    096294 096437 096585 097047 097130 097209 097298 097474 097658 098105 098286 098413 099267 099429
    099601 099712 099849 100236 100583 100735 100877 101006 101388 101556 102040 102177 102318 102480
    102973 104029 104365 105056 105162 105251 105412 105505 105641 105855 106030 106166 106382 106550
    106662 107142 107312 107574 107683 107908 108000 108089 108422 108551 108915 109047 109525 109961
    110063 110185 110341 110627 110806 110958 111129 111277 111500 111889 112018 112137 112350 112706
    113023 113186 113624 113712 113799 113978
""".split()  # noqa: SIM905  (as a list it would be 118 lines)
#: ImageNet classes of Stanford's three wild canids, by full WordNet id.
WILD = {"n02115641": 273, "n02115913": 274, "n02116738": 275}
#: ImageNet classes of the cat breeds that have one, by breed id.
CATS = {"persian": 283, "siamese": 284, "egyptian_mau": 285}


def imagenet_classes(crops: Crops) -> dict[int, int]:
    """Map the label of every Stanford breed in ``crops`` to its ImageNet class (0…999)."""
    wnids = {
        source.split("/")[0]: int(label)
        for source, label in zip(crops.sources, crops.labels, strict=True)
        if source.startswith("n0") and "/" in source
    }
    numbers = {f"n02{wnid}": FIRST_DOG + position for position, wnid in enumerate(DOGS)} | WILD
    return {label: numbers[wnid] for wnid, label in wnids.items() if wnid in numbers}
