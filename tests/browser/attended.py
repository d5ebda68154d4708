"""A page without a kernel whose widgets believe that Python listens."""

from explainer.widgets.host import static_page


def attended(widget):
    """HTML of a widget that sends as it would to Python: `window.sent` keeps what."""
    html = static_page([widget])
    assert html.count("save_changes() {}") == 1
    sending = """save_changes() {}
  send(content, _, buffers) {
    const bytes = buffers?.length ? { bytes: buffers[0].byteLength } : {};
    (window.sent ??= []).push({ ...content, ...bytes });
  }"""
    return html.replace("save_changes() {}", sending)
