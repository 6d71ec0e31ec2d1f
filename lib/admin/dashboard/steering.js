// deno-lint-ignore-file no-undef -- `deno task check` knows what browsers have.
/** Calls that change something, and the token that some balancers want to see for that. */
import { byId, setAttribute, setText } from "./elements.js";

const TOKEN_KEY = "loadbalancer-token";
/** What a token is made of, as `--admin-token` has it; nothing else can be sent in a header. */
const TOKEN = /^[\x21-\x7e]{16,1024}$/;

/**
 * What shows the token, where there is one that can be sent.
 * @returns {Record<string, string>}
 */
export function tokenHeaders() {
  const token = sessionStorage.getItem(TOKEN_KEY);
  return token === null || !TOKEN.test(token) ? {} : { authorization: `Bearer ${token}` };
}

/**
 * Changes something of a server: `drain`, `disable`, `enable`, or `weight` with what it is to be.
 * @param {string} name
 * @param {string} action
 * @param {object} body
 * @returns {Promise<string | null>} why it did not work; null: it did
 */
export async function steer(name, action, body = {}) {
  const path = `/backends/${encodeURIComponent(name)}/${action}`;
  try {
    let response = await post(path, body);
    while (response.status === 401 && await askToken(await errorOf(response))) {
      response = await post(path, body);
    }
    return response.ok ? null : await errorOf(response);
  } catch {
    return "the balancer cannot be reached"; // `fetch` says no more than that either.
  }
}

/**
 * @param {string} path
 * @param {object} body
 * @returns {Promise<Response>}
 */
function post(path, body) {
  return fetch(path, {
    method: "POST",
    headers: { "content-type": "application/json", ...tokenHeaders() },
    body: JSON.stringify(body),
  });
}

/**
 * What the balancer says of it.
 * @param {Response} response
 * @returns {Promise<string>}
 */
async function errorOf(response) {
  try {
    const { error } = await response.clone().json();
    if (typeof error === "string") return error;
  } catch {
    // Not one of its own answers; the status has to do.
  }
  return `the balancer answered ${response.status}`;
}

/** @type {Promise<boolean> | null} */
let asking = null;

/**
 * Asks for the token, once however many want it.
 * @param {string} reason
 * @returns {Promise<boolean>} false: there is none
 */
export function askToken(reason) {
  asking ??= ask(reason).finally(() => {
    asking = null;
  });
  return asking;
}

/**
 * @param {string} reason
 * @returns {Promise<boolean>}
 */
function ask(reason) {
  const dialog = byId("token-dialog", HTMLDialogElement);
  const input = byId("token", HTMLInputElement);
  byId("token-reason", HTMLElement).textContent = reason;
  input.value = "";
  showTokenError(input, "");
  dialog.showModal();
  return new Promise((resolve) => {
    const done = new AbortController();
    const { signal } = done;
    byId("token-form", HTMLFormElement).addEventListener("submit", (event) => {
      event.preventDefault();
      const token = input.value.trim();
      if (!TOKEN.test(token)) {
        showTokenError(input, "Expected 16 to 1024 characters of ASCII without blanks.");
        return;
      }
      sessionStorage.setItem(TOKEN_KEY, token);
      dialog.close("use");
    }, { signal });
    byId("token-cancel", HTMLButtonElement).addEventListener(
      "click",
      () => dialog.close("cancel"),
      {
        signal,
      },
    );
    // Escape closes it as well.
    dialog.addEventListener("close", () => {
      done.abort();
      resolve(dialog.returnValue === "use");
    }, { signal });
    dialog.returnValue = "";
  });
}

/**
 * @param {HTMLInputElement} input
 * @param {string} error  empty: there is none
 */
function showTokenError(input, error) {
  const element = byId("token-error", HTMLElement);
  setText(element, error);
  element.hidden = error === "";
  setAttribute(input, "aria-invalid", String(error !== ""));
  if (error !== "") input.focus();
}
