"""The static site: every page from what was recorded, with no kernel and no network."""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from explainer.site.embedding import embed
    from explainer.site.notebook import SiteError
    from explainer.site.writing import Report, export

_HOMES = {"Report": "writing", "SiteError": "notebook", "embed": "embedding", "export": "writing"}

__all__ = ["Report", "SiteError", "embed", "export"]


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"explainer.site has no {name!r}; it offers {', '.join(__all__)}")
    return getattr(import_module(f"explainer.site.{_HOMES[name]}"), name)
