// Search the accounts of a run and show their cards; every file lies beside the page and is loaded when it is needed.
"use strict";
(() => {
  const T = DATA.text;
  const waiting = new Map();
  const packed = async (text) => {
    const bytes = Uint8Array.from(atob(text), (sign) => sign.charCodeAt(0));
    const stream = new Blob([bytes]).stream().pipeThrough(new DecompressionStream("gzip"));
    return JSON.parse(await new Response(stream).text());
  };
  window.keep = (key, text) => waiting.get(key)?.resolve(packed(text));
  // a file holds its cards column by column
  const cardsOf = ([columns]) => columns.account_id.map((_, k) => Object.fromEntries(Object.entries(columns).map(([name, values]) => [name, values[k]])));
  const load = (key, file) => {
    if (!waiting.has(key)) {
      const entry = {};
      entry.promise = new Promise((resolve, reject) => { entry.resolve = resolve; entry.reject = reject; });
      waiting.set(key, entry);
      const script = document.createElement("script");
      script.src = `accounts/${file}.js`;
      script.onerror = () => entry.reject(new Error(T.broken));
      document.head.append(script);
    }
    return waiting.get(key).promise;
  };

  const money = (digits) => new Intl.NumberFormat(DATA.locale, { style: "currency", currency: DATA.currency, ...(digits ? {} : { maximumFractionDigits: 0, minimumFractionDigits: 0 }) });
  const FORMS = { cents: money(true), money: money(false) };
  const number = (digits) => new Intl.NumberFormat(DATA.locale, { minimumFractionDigits: digits, maximumFractionDigits: digits });
  const PLAIN = number(0), TENTHS = number(1);
  const percent = (digits) => new Intl.NumberFormat(DATA.locale, { style: "percent", minimumFractionDigits: digits, maximumFractionDigits: digits });
  const PERCENT = [percent(0), percent(1)];
  const share = (value, digits = 0) => {
    const step = 10 ** -digits, shown = Math.round(value * 100 / step) * step;
    if (value > 0 && shown <= 0) return `<${PERCENT[digits].format(step / 100)}`;
    if (value < 1 && shown >= 100) return `>${PERCENT[digits].format(1 - step / 100)}`;
    return PERCENT[digits].format(value);
  };
  const DAY = new Intl.DateTimeFormat(DATA.locale, { day: "numeric", month: "short", year: "numeric", timeZone: "UTC" });
  const CLOCK = new Intl.DateTimeFormat(DATA.locale, { timeStyle: "short", timeZone: "UTC" });
  const day = (text) => DAY.format(new Date(`${text.slice(0, 10)}T00:00:00Z`));
  const moment = (text) => `${day(text)}, ${CLOCK.format(new Date(`${text.slice(0, 19)}Z`))}`;
  const signed = (form, value) => form.format(value).replace(/^-(?=\D*0([.,]0+)?\D*$)/, "");
  const fill = (text, values) => text.replace(/\{(\w+)\}/g, (all, name) => values[name] ?? all);
  const word = (name) => DATA.words[name] ?? name;

  const make = (tag, given = {}, ...content) => {
    const node = document.createElement(tag);
    for (const [name, value] of Object.entries(given)) node.setAttribute(name, value);
    node.append(...content.filter((item) => item !== null && item !== undefined));
    return node;
  };
  const chip = (text, kind = "") => make("span", { class: `chip ${kind}` }, text);
  const person = (id) => {
    const [name, place, colour] = DATA.people[id] ?? [id, "", 8];
    return make("span", { class: "person" }, make("i", { class: "dot", style: `background:var(--c${colour})`, "aria-hidden": "true" }, String(place)), name);
  };

  // one account
  const hash = (id) => {
    let value = 0x811c9dc5;
    for (const byte of new TextEncoder().encode(id)) value = Math.imul(value ^ byte, 0x01000193) >>> 0;
    return value % DATA.files;
  };
  function interval(card) {
    const text = share(card.churn_probability);
    if (card.churn_low === null) return [text];
    const words = fill(T.interval, { share: text, low: share(card.churn_low), high: share(card.churn_high) });
    const drawn = make("span", { class: "range", "aria-hidden": "true" },
      make("i", { style: `left:${100 * card.churn_low}%;width:${100 * (card.churn_high - card.churn_low)}%` }),
      make("b", { style: `left:${100 * card.churn_probability}%` }));
    return [drawn, " ", words];
  }
  const table = (heads, rows) => make("table", { class: "plain" }, make("thead", {}, make("tr", {}, ...heads.map(([text, kind]) => make("th", { scope: "col", class: kind }, text)))), make("tbody", {}, ...rows));
  // the accounts that a text names lead to their cards
  const linked = (text, ids) => {
    let parts = [text];
    for (const id of ids ?? []) parts = parts.flatMap((part) => typeof part === "string" ? part.split(id).flatMap((rest, k) => k ? [make("a", { href: `#${encodeURIComponent(id)}` }, id), rest] : [rest]) : [part]);
    return parts;
  };
  function written(card, row) {
    const value = card[row.field];
    switch (row.form) {
      case "list": return value?.length ? [make("ul", {}, ...value.map((text) => make("li", {}, ...linked(text, card.mentions))))] : null;
      case "options": return value?.length ? [table([[T.action, ""], [T.brings, "num"], [T.why, ""]], value.map((item) => make("tr", {}, make("td", {}, item.action), make("td", { class: "num" }, item.value === null ? "–" : signed(FORMS.money, item.value)), make("td", {}, item.why))))] : null;
      case "events": return value?.length ? [make("table", { class: "plain" }, make("tbody", {}, ...value.map((item) => make("tr", {}, make("td", {}, day(item.at)), make("td", {}, item.what), make("td", { class: "num" }, item.amount === null ? "" : signed(FORMS.cents, item.amount))))))] : null;
    }
    if (value === null || value === undefined) return row.always ? [T.not_known] : null;
    switch (row.form) {
      case "cents": case "money": return [signed(FORMS[row.form], value)];
      case "share": return [share(value, 1)];
      case "number": return [PLAIN.format(value)];
      case "tenths": return [TENTHS.format(value)];
      case "moment": return [moment(value)];
      case "person": return [person(value)];
      case "interval": return interval(card);
      default: return [String(value)];
    }
  }
  function drawn(card) {
    const kind = card.state === "scheduled" ? "good" : card.state === "waits" ? "warn" : "";
    const head = make("div", { class: "heading" },
      make("p", {}, make("a", { href: "#" }, `← ${T.back}`)),
      make("div", { class: "who-is" }, make("h1", { tabindex: "-1" }, card.account_name || card.account_id), card.account_name ? make("span", { class: "muted" }, card.account_id) : null, chip(card.state_words, kind)));
    const links = (card.links ?? []).map((link) => {
      const place = link.split("/")[0];
      const anchor = place === "briefs" ? `#brief-${encodeURIComponent(card.account_id)}` : "";
      return make("a", { class: "button", href: link.split("/").map(encodeURIComponent).join("/") + anchor }, DATA.links[place] ?? place);
    });
    if (links.length) head.append(make("p", { class: "who-is" }, ...links));
    const sections = make("div", { class: "sections" });
    for (const section of DATA.layout) {
      const list = make(section.rows.length === 1 ? "div" : "dl");
      for (const row of section.rows) {
        const content = written(card, row);
        if (content === null) continue;
        if (section.rows.length === 1) list.append(...content);
        else list.append(make("dt", {}, row.label), make("dd", {}, ...content));
      }
      if (list.children.length) sections.append(make("section", { class: "card" }, make("header", {}, make("h2", {}, section.title)), list));
    }
    const brief = make("div", { lang: DATA.language });
    brief.innerHTML = card.brief ?? "";  // escaped where it was written
    return card.brief ? [head, sections, brief] : [head, sections];
  }

  // all accounts
  const FILTERS = ["action", "channel", "state", "segment", "territory", "rep_id", "who", "limit", "waiting_for", "changed", "moved", "odd"];
  const list = document.getElementById("list"), rows = document.getElementById("rows"), count = document.getElementById("count");
  const input = document.querySelector("[data-search]"), filters = document.querySelector(".filters"), place = document.getElementById("card");
  const heading = document.querySelector("main > .heading");
  const title = document.title;
  const folded = document.getElementById("filters");
  folded.open = matchMedia("(min-width: 40.01rem)").matches;
  let index = null, text = null, order = null, shown = 50;
  const selects = {};
  const label = (name, item) => name === "rep_id" || name === "who" ? DATA.people[item]?.[0] ?? item : item === "yes" ? T.yes : word(item);
  async function ready() {
    if (index) return;
    index = await load("index", "index");
    order = [...index.id.keys()];
    for (const name of FILTERS) {
      if (!index[name].words.length) continue;
      const select = make("select", {}, new Option(T.all, ""), ...index[name].words.map((item) => new Option(label(name, item), item)));
      select.addEventListener("change", () => { shown = 50; location.hash = chosen(); });
      selects[name] = select;
      filters.append(make("label", {}, T[`filter_${name}`], select));
    }
  }
  const chosen = () => {
    const given = new URLSearchParams();
    if (input.value.trim()) given.set("q", input.value.trim());
    for (const [name, select] of Object.entries(selects)) if (select.value) given.set(name, select.value);
    return given.size ? `?${given}` : "";
  };
  // made when somebody begins to search: most pages are opened to look at one list
  const texts = () => text ??= index.id.map((id, row) => plain(`${index.name?.[row] ?? ""}\n${id}`));
  const plain = (given) => given.toLocaleLowerCase().normalize("NFKD").replace(/\p{M}/gu, "");
  function search() {
    const words = plain(input.value).split(/\s+/).filter(Boolean);
    const all = words.length ? texts() : null;
    const wanted = Object.entries(selects).filter(([, select]) => select.value).map(([name, select]) => [index[name].of, index[name].words.indexOf(select.value)]);
    const found = order.filter((row) => wanted.every(([of, value]) => of[row] === value) && words.every((item) => all[row].includes(item)));
    // what was typed in full comes first
    const whole = words.join(" ");
    // one person's accounts are listed in the order of the day
    if (selects.who?.value) found.sort((a, b) => (index.at[a] ?? "~").localeCompare(index.at[b] ?? "~"));
    if (whole) found.sort((a, b) => (all[b].split("\n").includes(whole) ? 1 : 0) - (all[a].split("\n").includes(whole) ? 1 : 0));
    return found;
  }
  function show() {
    const found = search();
    const sum = found.reduce((total, row) => total + (index.value[row] ?? 0), 0);
    count.textContent = `${fill(T.found, { count: PLAIN.format(found.length) })} · ${fill(T.sum, { sum: signed(FORMS.money, sum) })}`;
    count.dataset.rows = found.length;
    count.dataset.sum = sum.toFixed(2);
    rows.replaceChildren();
    if (!found.length) { rows.append(make("p", { class: "empty" }, T.none)); return; }
    const timed = Boolean(selects.who?.value);
    const line = (row) => {
      const word_of = (name) => (index[name].of[row] < 0 ? "–" : label(name, index[name].words[index[name].of[row]]));
      const id = index.id[row], name = index.name?.[row];
      const state = index.state.words[index.state.of[row]];
      return make("tr", {},
        make("td", {}, make("a", { href: `#${encodeURIComponent(id)}`, class: "account" }, name || id, name ? " " : null, name ? make("small", { class: "muted" }, id) : null)),
        timed ? make("td", { "data-label": T.when }, index.at[row] ? moment(`${index.at[row]}:00`) : "–") : null,
        make("td", { "data-label": T.action }, word_of("action")),
        make("td", { "data-label": T.channel }, index.channel.of[row] < 0 ? word_of("waiting_for") : word_of("channel")),
        make("td", { "data-label": T.state }, chip(word(state), state === "scheduled" ? "good" : state === "waits" ? "warn" : "")),
        make("td", { class: "num", "data-label": T.gain }, index.value[row] === null ? T.not_known : signed(FORMS.cents, index.value[row])));
    };
    const drawn = table([[T.account, ""], ...(timed ? [[T.when, ""]] : []), [T.action, ""], [T.channel, ""], [T.state, ""], [T.gain, "num"]], found.slice(0, shown).map(line));
    drawn.className = "rows as-cards";
    rows.append(make("div", { class: "scroll", tabindex: "0", role: "region", "aria-label": T.account }, drawn));
    if (found.length > shown) {
      const more = make("button", { type: "button" }, T.more);
      more.addEventListener("click", () => { shown += 200; show(); });
      rows.append(make("p", { class: "empty" }, more));
    }
  }
  const near = (id) => {
    const pairs = (item) => new Set([...item.toLowerCase()].map((sign, k, all) => sign + (all[k + 1] ?? "")));
    const own = pairs(id);
    const rate = (other) => { const its = pairs(other); let same = 0; for (const pair of its) same += own.has(pair) ? 1 : 0; return 2 * same / (own.size + its.size); };
    return index.id.map((other) => [rate(other), other]).filter(([value]) => value > 0.5).sort((a, b) => b[0] - a[0]).slice(0, 5).map(([, other]) => other);
  };
  async function route() {
    const here = location.hash.slice(1);
    try {
      if (here === "" || here.startsWith("?") || here === "main") {
        await ready();
        place.replaceChildren();
        list.hidden = heading.hidden = false;
        document.title = title;
        const given = new URLSearchParams(here.startsWith("?") ? here.slice(1) : "");
        if (document.activeElement !== input) input.value = given.get("q") ?? "";
        for (const [name, select] of Object.entries(selects)) select.value = given.get(name) ?? "";
        show();
        return;
      }
      let id = here;
      try { id = decodeURIComponent(here); } catch { /* as it stands */ }
      const cards = await load(`card:${hash(id)}`, hash(id)).then(cardsOf, () => []);
      const card = cards.find((item) => item.account_id === id);
      if (!card) {
        await ready();
        const others = near(id);
        list.hidden = heading.hidden = false;
        place.replaceChildren(make("section", { class: "card" }, make("p", {}, fill(T.unknown, { id }), ...(others.length ? [` ${T.meant} `, ...others.flatMap((other, k) => [k ? ", " : "", make("a", { href: `#${encodeURIComponent(other)}` }, other)]), "?"] : []))));
        show();
        list.before(place);
        return;
      }
      list.hidden = heading.hidden = true;
      place.replaceChildren(...drawn(card));
      document.title = `${card.account_name || card.account_id} · ${title}`;
      scrollTo(0, 0);
      place.querySelector("h1").focus({ preventScroll: true });
    } catch (error) { count.textContent = error.message; }
    finally { performance.mark("shown"); }
  }
  let typed = 0;
  input.addEventListener("input", () => {
    shown = 50;
    clearTimeout(typed);
    typed = setTimeout(() => { history.replaceState(null, "", `#${chosen()}`); show(); }, 120);
  });
  input.addEventListener("keydown", (event) => {
    const first = rows.querySelector("a.account");
    if (event.key === "Enter" && first) { show(); location.hash = rows.querySelector("a.account").hash; }
  });
  addEventListener("keydown", (event) => { if (event.key === "Escape" && list.hidden) history.length > 1 ? history.back() : (location.hash = ""); });
  addEventListener("hashchange", route);
  route();
})();
