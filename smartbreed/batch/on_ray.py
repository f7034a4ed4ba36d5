"""Workers on the machines of a Ray cluster: Ray Data sends photos to them and restarts those that die."""

from __future__ import annotations

import pickle
from collections.abc import Generator, Iterable, Iterator
from itertools import islice
from typing import TYPE_CHECKING, Any

from smartbreed.batch.run import Engine
from smartbreed.batch.worker import Done, Options, read, work
from smartbreed.core.errors import BundleError
from smartbreed.core.extras import require
from smartbreed.core.settings import Settings, load_settings
from smartbreed.imaging.admission import Admission
from smartbreed.imaging.decoding import most_memory
from smartbreed.inference.pipeline import Identifier
from smartbreed.registry import open_bundle
from smartbreed.sources.items import Item

if TYPE_CHECKING:
    import ray.data

#: Photos that a worker gets at once, and photos of one Ray dataset; each dataset starts new workers.
_AT_ONCE, _PHOTOS = 16, 20_000


class Worker:
    """A process of the cluster with a model and one core.

    Raises:
        BundleError: this machine has another model than the machine that started the run.
    """

    def __init__(self, settings: dict[str, Any], revision: str, options: Options) -> None:
        chosen = load_settings(**settings)
        bundle = open_bundle(chosen)
        if bundle.version.revision != revision:
            raise BundleError("A machine of the cluster has another model: use --model owner/name@revision.")
        self._identifier = Identifier(bundle, threads=1, top_k=options.top_k, network_threads=1)
        self._options = options
        large = most_memory(options.max_pixels)
        self._admission = Admission(large, large)

    def __call__(self, batch: dict[str, Any]) -> dict[str, list[bytes]]:
        """Process pickled items and return pickled results."""
        return {"done": [pickle.dumps(self._answer(pickle.loads(item))) for item in batch["item"]]}

    def _answer(self, item: Item) -> Done:
        data = read(item, self._options)
        return work(self._identifier, self._options, item.name, data, self._admission)


def ray_engine(settings: Settings, revision: str, options: Options) -> Engine:
    """Return an engine that uses a Ray cluster: that of ``RAY_ADDRESS``, else one on this machine.

    Each worker reads its files itself, so all machines must see the same paths.

    Args:
        settings: of this process; the workers use its model and Hub.
        revision: of the model, which must be the same on all machines.

    Raises:
        UnavailableError: ``not_installed``: the extra ``ray`` is missing.
    """
    require("ray", "Several machines need")
    import ray

    if not ray.is_initialized():
        ray.init(log_to_driver=False, configure_logging=False, include_dashboard=False)
    ray.data.DataContext.get_current().execution_options.preserve_order = True
    ray.data.DataContext.get_current().enable_progress_bars = False
    sent = {"model": settings.model, "hub": settings.hub}

    def answers(items: Iterable[Item]) -> Generator[Done, None, None]:
        rest = iter(items)
        while some := [{"item": pickle.dumps(item)} for item in islice(rest, _PHOTOS)]:
            yield from _answered(ray.data.from_items(some))

    def _answered(photos: ray.data.Dataset) -> Iterator[Done]:
        cores = int(ray.cluster_resources().get("CPU", 1))
        answered = photos.map_batches(
            Worker, fn_constructor_args=(sent, revision, options), batch_size=_AT_ONCE,
            compute=ray.data.ActorPoolStrategy(min_size=1, max_size=cores), num_cpus=1,
        )  # fmt: skip
        for batch in answered.iter_batches(batch_size=_AT_ONCE, prefetch_batches=1):
            for done in batch["done"]:
                yield pickle.loads(done)

    return answers
