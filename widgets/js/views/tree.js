// A tree of elements that is brought into the page by changing only what differs.
// What a reader has done stays: open disclosures, focus, scroll positions, selected text.
// Every string becomes a text node or an attribute value; none is ever parsed as HTML.

/**
 * Describe an element.
 * @param {string} name of the tag
 * @param {object} attributes null and false are left out; `key` tells siblings apart when their
 *   number changes; `memo` is a string that is the same as long as nothing inside has changed;
 *   `on` holds event listeners, which are added once
 * @param {...any} children strings, elements, arrays of them; null keeps the place of one that is
 *   absent, so that those after it stay what they are
 */
export function h(name, attributes, ...children) {
  const { key, memo, on, ...rest } = attributes ?? {};
  return { name, key, memo, on, attributes: rest, children: identified(children.flat(Infinity)) };
}

/** Show a tree inside a node that shows the tree `before`, or nothing yet when that is null. */
export function show(parent, before, after) {
  patchChildren(parent, before ? [before] : [], [after]);
  return after;
}

function identified(children) {
  const found = [];
  for (const [place, child] of children.entries()) {
    if (child === null || child === "") {
      continue;
    }
    const node = typeof child === "string" ? { text: child } : child;
    node.id = node.key === undefined ? `#${place}` : `=${node.key}`;
    found.push(node);
  }
  return found;
}

function create(node) {
  if (node.text !== undefined) {
    node.dom = document.createTextNode(node.text);
    return node.dom;
  }
  node.dom = document.createElement(node.name);
  for (const [event, listener] of Object.entries(node.on ?? {})) {
    node.dom.addEventListener(event, listener);
  }
  patchAttributes(node.dom, {}, node.attributes);
  patchChildren(node.dom, [], node.children);
  return node.dom;
}

function patch(before, after) {
  after.dom = before.dom;
  if (after.text !== undefined) {
    if (after.text !== before.text) {
      after.dom.data = after.text;
    }
    return;
  }
  if (after.memo !== undefined && after.memo === before.memo) {
    after.children = before.children;
    return;
  }
  patchAttributes(after.dom, before.attributes, after.attributes);
  patchChildren(after.dom, before.children, after.children);
}

function patchAttributes(dom, before, after) {
  for (const name of new Set([...Object.keys(before), ...Object.keys(after)])) {
    const value = after[name] ?? false;
    // Compared with what we said before, not with the page: a reader may have closed a disclosure.
    if (value === (before[name] ?? false)) {
      continue;
    }
    if (name === "checked" || name === "value") {
      dom[name] = value; // of a box or a field that was used, the attribute says nothing any more
    }
    if (value === false) {
      dom.removeAttribute(name);
    } else {
      dom.setAttribute(name, value === true ? "" : value);
    }
  }
}

function patchChildren(parent, before, after) {
  const old = new Map(before.map((node) => [node.id, node]));
  const kept = new Map();
  for (const node of after) {
    const match = old.get(node.id);
    if (match && match.name === node.name) {
      kept.set(node, match);
      old.delete(node.id);
    }
  }
  // First away with what has gone: then those that stay need not move, and keep their focus.
  for (const node of old.values()) {
    node.dom.remove();
  }
  let place = parent.firstChild;
  for (const node of after) {
    const match = kept.get(node);
    const dom = match ? match.dom : create(node);
    if (dom === place) {
      place = place.nextSibling;
    } else {
      parent.insertBefore(dom, place);
    }
    if (match) {
      patch(match, node);
    }
  }
}
