"""A page without a kernel whose widgets believe that Python listens."""

from explainer.widgets.host import static_page


def attended(*widgets):
    """HTML of widgets that send as they would to Python: `window.sent` keeps what."""
    html = static_page(widgets)
    assert html.count("save_changes() {}") == 1
    sending = """save_changes() {}
  send(content, _, buffers) {
    const bytes = buffers?.length ? { bytes: buffers[0].byteLength } : {};
    (window.sent ??= []).push({ ...content, ...bytes });
  }"""
    return html.replace("save_changes() {}", sending)
