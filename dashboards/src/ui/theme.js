// SPDX-License-Identifier: Apache-2.0
// Dark or light: as the system says until somebody chooses; the choice is remembered.
import { $, h, icon } from "./dom.js";

const KEY = "hale-theme";

/** @param {() => void} changed called after the colours changed */
export function initTheme(changed) {
  const system = matchMedia("(prefers-color-scheme: light)");
  const apply = () => {
    const chosen = localStorage.getItem(KEY);
    const theme = chosen === "light" || chosen === "dark" ? chosen : system.matches ? "light" : "dark";
    document.documentElement.dataset.theme = theme;
    const other = theme === "dark" ? "Light" : "Dark";
    $("theme").replaceChildren(icon(theme === "dark" ? "☀" : "☾"), h("span", { class: "word" }, other));
    $("theme").setAttribute("aria-label", `${other} colours`);
    changed();
  };
  $("theme").addEventListener("click", () => {
    const next = document.documentElement.dataset.theme === "dark" ? "light" : "dark";
    localStorage.setItem(KEY, next);
    apply();
  });
  system.addEventListener("change", apply);
  apply();
}
