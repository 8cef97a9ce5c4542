"""The plots of a fit; discovered, one file each."""

import importlib
import pkgutil
from collections.abc import Mapping
from types import MappingProxyType
from typing import Final

from backend.science import plots
from backend.science.plots.numbers import PlotSpec

# Modules beside the plots that are none.
SUPPORT: Final = frozenset({"catalogue", "numbers", "render", "style"})


def _discover() -> dict[str, PlotSpec]:
    found: list[PlotSpec] = []
    for module in pkgutil.iter_modules(plots.__path__):
        if module.name in SUPPORT:
            continue
        spec = importlib.import_module(f"{plots.__name__}.{module.name}").SPEC
        if spec.kind != module.name:
            raise ValueError(f"{module.name} holds the plot {spec.kind}")
        found.append(spec)
    return {spec.kind: spec for spec in sorted(found, key=lambda spec: (spec.order, spec.kind))}


PLOTS: Final[Mapping[str, PlotSpec]] = MappingProxyType(_discover())
