"""Live: what every widget shares that has something computed for its reader."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import traitlets as t

from explainer.widgets.base import Widget

if TYPE_CHECKING:
    from explainer.runs import RunController


class Live(Widget):
    """A widget that a run controller works for. Without one it only shows.

    What it asked for ends with it: closing the widget cancels that. A subclass says in `_asked`
    what to do with its reader's messages, of which "cancel" is answered here.
    """

    _live = t.Bool(False).tag(sync=True)
    _controller: RunController | None = None

    def cancel(self) -> None:
        """Stop what is being computed; what is on show stays."""
        raise NotImplementedError

    def close(self) -> None:
        """Close the widget, and cancel what it asked for: nobody would see it."""
        self.cancel()
        super().close()

    def _serve(self, controller: RunController | None) -> None:
        """Begin to listen to the reader."""
        self._controller = controller
        self._live = controller is not None
        self.on_msg(self._on_message)

    @property
    def _reader(self) -> str:
        """Whom the controller works for: a wish replaces the former one of this widget alone."""
        return f"{type(self).__name__} {id(self)}"

    def _at_work(self) -> RunController:
        """The controller.

        Raises:
            RuntimeError: There is none.
        """
        if self._controller is None:
            raise self._nobody()
        return self._controller

    def _nobody(self) -> RuntimeError:
        needs = "a controller, and whatever it is to ask about"
        return RuntimeError(f"Nobody can be asked: give {type(self).__name__} {needs}.")

    def _asked(self, content: dict[str, Any]) -> None:
        """Do what a message of the reader's asks for.

        Raises:
            ValueError: It cannot be done; the reader is told why.
        """
        raise NotImplementedError

    def _on_message(self, _widget: Any, content: Any, _buffers: Any) -> None:
        if content.get("type") == "cancel":
            self.cancel()
            return
        try:
            self._asked(content)
        except ValueError as error:
            self.notify("")  # the page has closed it by itself: the same words twice must be news
            self.notify(str(error), error=True)
