// Sort and filter tables, choose light or dark, mark where in the contents one is. Works from a disk.
"use strict";
(() => {
  const root = document.documentElement;
  const store = {
    get(key) { try { return localStorage.getItem(key); } catch { return null; } },
    set(key, value) { try { localStorage.setItem(key, value); } catch { /* a page on a disk may not keep anything */ } },
  };
  const theme = document.querySelector("button[data-theme]");
  const chosen = store.get("theme");
  if (chosen === "light" || chosen === "dark") root.dataset.theme = chosen;
  if (theme) {
    theme.hidden = false;
    theme.addEventListener("click", () => {
      const dark = root.dataset.theme ? root.dataset.theme === "dark" : matchMedia("(prefers-color-scheme: dark)").matches;
      root.dataset.theme = dark ? "light" : "dark";
      store.set("theme", root.dataset.theme);
    });
  }

  const collator = new Intl.Collator(document.documentElement.lang, { numeric: true, sensitivity: "base" });
  const valueOf = (row, place) => {
    const cell = row.cells[place];
    if (!cell) return null;
    if (cell.dataset.v === undefined) return cell.textContent.trim();
    return cell.dataset.v === "" ? null : Number.isNaN(Number(cell.dataset.v)) ? cell.dataset.v : Number(cell.dataset.v);
  };
  const compare = (a, b) => (typeof a === "number" && typeof b === "number" ? a - b : collator.compare(String(a), String(b)));

  function sort(table, place, direction) {
    const heads = table.tHead.rows[table.tHead.rows.length - 1].cells;
    for (const head of heads) head.removeAttribute("aria-sort");
    heads[place].setAttribute("aria-sort", direction > 0 ? "ascending" : "descending");
    for (const body of table.tBodies) {
      const rows = [...body.rows].filter((row) => row.cells.length > 1).map((row, rank) => [valueOf(row, place), rank, row]);
      // what is not known stays last, whichever way
      rows.sort(([a, i], [b, j]) => (a === null ? (b === null ? i - j : 1) : b === null ? -1 : direction * compare(a, b) || i - j));
      for (const [, , row] of rows) body.append(row);
    }
  }

  function prepare(table) {
    const heads = [...table.tHead.rows[table.tHead.rows.length - 1].cells];
    const rows = [...table.tBodies].flatMap((body) => [...body.rows]);
    table.classList.add("as-cards");
    // the roles stay what they are where the style shows rows as cards
    table.setAttribute("role", "table");
    for (const row of table.rows) {
      row.setAttribute("role", "row");
      for (const cell of row.cells) {
        if (cell.tagName === "TD") {
          cell.setAttribute("role", "cell");
          if (cell.colSpan === 1 && heads[cell.cellIndex]) cell.dataset.label = heads[cell.cellIndex].textContent.trim();
        } else cell.setAttribute("role", cell.scope === "row" ? "rowheader" : "columnheader");
      }
    }
    for (const group of [table.tHead, table.tFoot, ...table.tBodies]) if (group) group.setAttribute("role", "rowgroup");
    if (rows.length < 2 || table.dataset.sort === undefined) return;
    heads.forEach((head, place) => {
      if (!head.textContent.trim()) return;
      const button = document.createElement("button");
      button.type = "button";
      button.append(...head.childNodes);
      head.append(button);
      button.addEventListener("click", () => {
        const now = head.getAttribute("aria-sort");
        const first = head.classList.contains("num") ? -1 : 1;
        sort(table, place, now === null ? first : now === "ascending" ? -1 : 1);
      });
    });
    if (table.dataset.filter === undefined || rows.length < 9) return;
    const tools = document.createElement("div");
    tools.className = "tools";
    const input = document.createElement("input");
    input.type = "search";
    input.placeholder = table.dataset.filter;
    input.setAttribute("aria-label", table.dataset.filter);
    const count = document.createElement("span");
    count.className = "muted small";
    count.setAttribute("role", "status");
    const order = document.createElement("select");
    order.setAttribute("aria-label", "↕");
    order.add(new Option("↕", ""));
    heads.forEach((head, place) => {
      if (head.textContent.trim()) order.add(new Option(head.textContent.trim(), String(place)));
    });
    order.addEventListener("change", () => {
      if (order.value !== "") sort(table, Number(order.value), heads[Number(order.value)].classList.contains("num") ? -1 : 1);
    });
    input.addEventListener("input", () => {
      const words = input.value.toLocaleLowerCase().split(/\s+/).filter(Boolean);
      let shown = 0;
      for (const row of rows) {
        const text = row.textContent.toLocaleLowerCase();
        row.hidden = !words.every((word) => text.includes(word));
        shown += row.hidden ? 0 : 1;
      }
      // a total of all rows does not stand under some of them
      if (table.tFoot) table.tFoot.hidden = shown < rows.length;
      count.textContent = shown < rows.length ? `${shown} / ${rows.length}` : "";
    });
    tools.append(input, order, count);
    table.parentElement.before(tools);
  }
  for (const table of document.querySelectorAll("table[data-sort]")) prepare(table);

  const search = () => document.querySelector("[data-search], input[type=search]");
  addEventListener("keydown", (event) => {
    if (event.key !== "/" || event.ctrlKey || event.metaKey || event.altKey) return;
    if (/^(INPUT|TEXTAREA|SELECT)$/.test(event.target.tagName) || !search()) return;
    event.preventDefault();
    search().focus();
  });

  const links = new Map([...document.querySelectorAll(".contents a")].map((link) => [link.hash.slice(1), link]));
  const sections = [...links.keys()].map((id) => document.getElementById(id)).filter(Boolean);
  if (sections.length) {
    const mark = () => {
      const here = sections.filter((part) => part.getBoundingClientRect().top < innerHeight / 3).pop() || sections[0];
      for (const [id, link] of links) {
        if (id === here.id) link.setAttribute("aria-current", "true");
        else link.removeAttribute("aria-current");
      }
    };
    let waiting = false;
    addEventListener("scroll", () => {
      if (waiting) return;
      waiting = true;
      requestAnimationFrame(() => { waiting = false; mark(); });
    }, { passive: true });
    mark();
  }
  // a link to something folded opens it
  const unfold = () => {
    let name = "";
    try { name = decodeURIComponent(location.hash.slice(1)); } catch { /* not an address of ours */ }
    const target = name && document.getElementById(name);
    const folded = target && target.closest("details");
    if (folded && !folded.open) { folded.open = true; target.scrollIntoView(); }
  };
  addEventListener("hashchange", unfold);
  unfold();
  addEventListener("beforeprint", () => { for (const item of document.querySelectorAll("details")) item.open = true; });
})();
