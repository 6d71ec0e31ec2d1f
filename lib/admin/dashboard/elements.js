// deno-lint-ignore-file no-undef -- `deno task check` knows what browsers have.
/** Elements of the page. Text is only ever set as text: names and reasons come from outside. */

/**
 * The element of that id, which is one of that class.
 * @template {Element} T
 * @param {string} id
 * @param {new () => T} type
 * @returns {T}
 */
export function byId(id, type) {
  return checked(document.getElementById(id), type, `#${id}`);
}

/**
 * The first element within another that a selector finds, which is one of that class.
 * @template {Element} T
 * @param {ParentNode} parent
 * @param {string} selector
 * @param {new () => T} type
 * @returns {T}
 */
export function within(parent, selector, type) {
  return checked(parent.querySelector(selector), type, selector);
}

/**
 * Sets a text if it is another: what has not changed is not drawn, nor selected text lost.
 * @param {Element} element
 * @param {string} text
 */
export function setText(element, text) {
  if (element.textContent !== text) element.textContent = text;
}

/**
 * Sets an attribute if it is another.
 * @param {Element} element
 * @param {string} name
 * @param {string} value
 */
export function setAttribute(element, name, value) {
  if (element.getAttribute(name) !== value) element.setAttribute(name, value);
}

/**
 * @template {Element} T
 * @param {Element | null} found
 * @param {new () => T} type
 * @param {string} what
 * @returns {T}
 */
function checked(found, type, what) {
  if (found instanceof type) return found;
  throw new TypeError(`Cannot find ${what}: the page is not the one that belongs to this script`);
}
