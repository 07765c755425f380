"""What a screen reader is given of a build: the page's accessibility tree, and what is spoken."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from playwright.sync_api import Locator, Page

# Everything that the live region says, in order.
LISTEN = """() => {
  window.spoken = [];
  const before = new Set(document.querySelectorAll('.layerlab-news'));
  const told = () => {
    // The last words of an earlier build may still be there.
    const its = [...document.querySelectorAll('.layerlab-news')].filter((one) => !before.has(one));
    const text = its.at(-1)?.textContent;
    if (text && text !== window.spoken.at(-1)) window.spoken.push(text);
  };
  new MutationObserver(told).observe(document.body,
    {subtree: true, childList: true, characterData: true});
}"""
MUTE = {"generic", "none", "InlineTextBox", "LineBreak", "RootWebArea", "rowgroup"}
"""Roles that a reader says nothing of."""


def listen(page: Page) -> None:
    """Note from now on what the live region says."""
    page.evaluate(LISTEN)


def spoken(page: Page) -> list[str]:
    """What it has said."""
    found: list[str] = page.evaluate("() => window.spoken")
    return found


def tree(view: Locator) -> Iterator[str]:
    """Chromium's accessibility tree of an element, one node a line, indented."""
    page = view.page
    cdp = page.context.new_cdp_session(page)
    view.evaluate("(element) => { window.transcribed = element; }")
    found = cdp.send("Runtime.evaluate", {"expression": "window.transcribed"})
    given = cdp.send("Accessibility.queryAXTree", {"objectId": found["result"]["objectId"]})
    nodes = {node["nodeId"]: node for node in given["nodes"]}
    children = {child for node in nodes.values() for child in node.get("childIds", ())}
    for root in [node for id_, node in nodes.items() if id_ not in children]:
        yield from _lines(root, nodes, 0)


def _lines(node: dict[str, Any], nodes: dict[str, Any], depth: int) -> Iterator[str]:
    role = node.get("role", {}).get("value", "none")
    name = node.get("name", {}).get("value", "").strip()
    silent = node.get("ignored") or role in MUTE or (role == "StaticText" and not name)
    if not silent:
        states = {each["name"]: each["value"].get("value") for each in node.get("properties", ())}
        value = f": {name}" if name else ""
        marks = ""
        if "expanded" in states:
            marks = " (expanded)" if states["expanded"] else " (collapsed)"
        yield f"{'  ' * depth}{role}{value}{marks}"
    inner = depth if silent else depth + 1
    below = [nodes[id_] for id_ in node.get("childIds", ()) if id_ in nodes]
    if role in ("cell", "columnheader", "rowheader", "caption", "DisclosureTriangle") and name:
        # Its name is what is in it: said once.
        below = [child for child in below if child.get("role", {}).get("value") == "details"]
    for child in below:
        yield from _lines(child, nodes, inner)
