"""Nothing on a page moves while it is made: the layout shift that browsers measure stays below 0.1."""

from __future__ import annotations

from typing import Any

import pytest
from support.pages import FOR_VISITORS
from support.processes import Server

pytestmark = [pytest.mark.browser, pytest.mark.slow]

SHIFT = """() => new Promise((done) => {
  let sum = 0;
  const moved = [];
  new PerformanceObserver((list) => {
    for (const entry of list.getEntries()) {
      if (entry.hadRecentInput) continue;
      sum += entry.value;
      moved.push(...entry.sources.map((source) => source.node?.id || source.node?.className || "?"));
    }
  }).observe({ type: "layout-shift", buffered: true });
  setTimeout(() => done([sum, moved]), 300);
})"""


@pytest.mark.parametrize("width", [1280, 390])
def test_nothing_moves_while_a_page_is_made(chromium: Any, server: Server, width: int) -> None:
    for path in (*FOR_VISITORS, "nothing"):
        context = chromium.new_context(viewport={"width": width, "height": 844}, is_mobile=width < 500)
        page = context.new_page()
        page.goto(server.url + path)
        if page.evaluate("'gradio_config' in window"):
            page.wait_for_selector("html.sb-made", state="attached")
        page.wait_for_timeout(1000)
        shift, moved = page.evaluate(SHIFT)
        assert shift < 0.1, (path, width, moved)
        context.close()
