// Draws what `map-data` holds. The list beside the map chooses: one person alone, one stop, the way without value.
"use strict";
(async () => {
  const data = JSON.parse(document.getElementById("map-data").textContent);
  if (typeof data.accounts === "string") {
    const bytes = Uint8Array.from(atob(data.accounts), (sign) => sign.charCodeAt(0));
    data.accounts = await new Response(new Blob([bytes]).stream().pipeThrough(new DecompressionStream("gzip"))).json();
  }
  const root = document.documentElement;
  root.classList.toggle("coast", data.coast);
  const words = data.words;
  const money = new Intl.NumberFormat(data.locale, { style: "currency", currency: data.currency, maximumFractionDigits: 0 });
  const map = L.map("map", { zoomSnap: 0.25, maxZoom: 19, zoomControl: false });
  L.control.zoom({ zoomInTitle: words.zoomIn, zoomOutTitle: words.zoomOut }).addTo(map);
  const element = (name, text, type) => {
    const made = document.createElement(name);
    if (text !== undefined) made.textContent = text;
    if (type) made.className = type;
    return made;
  };
  const card = (id) => `../accounts.html#${encodeURIComponent(id)}`;

  // The drawn ground lies below the pane of the tiles (200): what is drawn shows where no tile is.
  function drawGround() {
    map.createPane("ground").style.zIndex = 100;
    map.getPane("ground").style.pointerEvents = "none";
    L.geoJSON(data.ground, { pane: "ground", interactive: false, style: { weight: 1.2 } }).addTo(map);
    for (const [name, lat, lon, zoom] of data.places) {
      const text = element("span", "", "place");
      text.append(element("b"), name);
      label(text, [lat, lon], zoom, [3, 8], "ground");
    }
    L.control.scale({ imperial: false, position: "bottomright" }).addTo(map);
    map.attributionControl.setPrefix(false).addAttribution(element("i", data.source).innerHTML);
  }
  function label(text, place, zoom, anchor, pane) {
    text.dataset.minZoom = zoom;
    const icon = L.divIcon({ html: text, className: "", iconSize: null, iconAnchor: anchor });
    return L.marker(place, { icon, interactive: false, keyboard: false, pane }).addTo(map);
  }
  // names that have no room yet wait for a closer look
  function fitNames() {
    for (const name of map.getContainer().querySelectorAll("[data-min-zoom]")) {
      name.hidden = map.getZoom() < Number(name.dataset.minZoom);
    }
  }

  // OpenStreetMap answers a request without a referrer, which a page opened from a disk cannot send, with a tile
  // that says "access blocked": such a page only asks for tiles of the user's own.
  function addTiles({ url, own, credit, first, last, vector, bounds }) {
    if (!url || !(own || /^https?:$/.test(location.protocol))) return;
    const options = { maxZoom: 19, minNativeZoom: first, maxNativeZoom: last, attribution: credit };
    if (bounds) options.bounds = [[bounds[1], bounds[0]], [bounds[3], bounds[2]]];
    if (vector) new Streets({ ...options, url }).addTo(map);
    else L.tileLayer(url, { ...options, referrerPolicy: "strict-origin-when-cross-origin" }).addTo(map);
  }

  // Vector tiles lie beside the page as scripts, since a page on a disk may read no other files. Each hands over its
  // bytes (Mapbox Vector Tile 2.1): of its layers, water and ways are drawn.
  const waiting = new Map();
  window.streetTile = (key, text) => {
    const bytes = Uint8Array.from(atob(text), (sign) => sign.charCodeAt(0));
    waiting.get(key)?.(bytes);
  };
  function* fields(bytes, at = 0, end = bytes.length) {
    const number = () => {
      let value = 0, factor = 1, octet;
      do { octet = bytes[at++]; value += (octet & 127) * factor; factor *= 128; } while (octet > 127);
      return value;
    };
    while (at < end) {
      const head = number(), kind = head & 7;
      if (kind === 0) yield [head >> 3, number()];
      else if (kind === 2) { const size = number(); yield [head >> 3, bytes.subarray(at, at + size)]; at += size; }
      else { yield [head >> 3, null]; at += kind === 5 ? 4 : 8; }
    }
  }
  function numbers(bytes) {
    const found = [];
    let value = 0, factor = 1;
    for (const octet of bytes) {
      value += (octet & 127) * factor;
      if (octet > 127) factor *= 128;
      else { found.push(value); value = 0; factor = 1; }
    }
    return found;
  }
  const text = new TextDecoder();
  function layersOf(bytes) {
    return [...fields(bytes)].filter(([field]) => field === 3).map(([, body]) => {
      const layer = { name: "", extent: 4096, keys: [], values: [], features: [] };
      for (const [field, value] of fields(body)) {
        if (field === 1) layer.name = text.decode(value);
        else if (field === 5) layer.extent = value;
        else if (field === 3) layer.keys.push(text.decode(value));
        else if (field === 4) { const [[kind, inside] = []] = fields(value); layer.values.push(kind === 1 ? text.decode(inside) : ""); }
        else if (field === 2) layer.features.push(Object.fromEntries(fields(value)));
      }
      return layer;
    });
  }
  function trace(pen, commands, scale, close) {
    let x = 0, y = 0, at = 0;
    const step = () => { const value = commands[at++]; return (value >>> 1) ^ -(value & 1); };
    while (at < commands.length) {
      const head = commands[at++], command = head & 7;
      for (let k = head >> 3; k > 0; k--) {
        if (command === 7) { if (close) pen.closePath(); continue; }
        x += step(); y += step();
        if (command === 1) pen.moveTo(x * scale, y * scale);
        else pen.lineTo(x * scale, y * scale);
      }
    }
  }
  const wide = /^(highway|motorway|trunk|primary|major_road)/, middling = /^(secondary|tertiary|medium_road)/, narrow = /path|track|rail|service|ferry/;
  const Streets = L.GridLayer.extend({
    createTile(coords, done) {
      const canvas = element("canvas"), size = this.getTileSize(), key = `${coords.z}/${coords.x}/${coords.y}`;
      canvas.width = size.x; canvas.height = size.y;
      waiting.set(key, (bytes) => { this.paint(canvas, bytes, size.x, coords.z); done(null, canvas); });
      const script = element("script");
      script.src = L.Util.template(this.options.url, coords);
      script.onload = script.onerror = () => { waiting.delete(key); script.remove(); };
      document.head.append(script);
      return canvas;
    },
    paint(canvas, bytes, size, zoom) {
      const pen = canvas.getContext("2d"), style = getComputedStyle(map.getContainer()), layers = layersOf(bytes);
      pen.fillStyle = style.getPropertyValue("--tile-water");
      pen.strokeStyle = style.getPropertyValue("--tile-way");
      pen.lineCap = pen.lineJoin = "round";
      for (const { name, extent, features } of layers) {
        if (!/^(water|ocean)$/.test(name)) continue;
        for (const feature of features) if (feature[3] === 3) { pen.beginPath(); trace(pen, numbers(feature[4]), size / extent, true); pen.fill("evenodd"); }
      }
      for (const { name, extent, features, keys, values } of layers) {
        if (!/^(roads?|transportation|streets?)$/.test(name)) continue;
        for (const feature of features) {
          if (feature[3] !== 2) continue;
          const tags = feature[2] ? numbers(feature[2]) : [];
          const place = tags.findIndex((tag, at) => at % 2 === 0 && /^(kind|class|highway)$/.test(keys[tag]));
          const kind = place < 0 ? "" : values[tags[place + 1]];
          pen.lineWidth = (wide.test(kind) ? 3.2 : middling.test(kind) ? 2.2 : narrow.test(kind) ? 0.6 : 1.1) * (zoom < 12 ? 0.5 : 1);
          pen.beginPath();
          trace(pen, numbers(feature[4]), size / extent, false);
          pen.stroke();
        }
      }
    },
  });

  function popup(title, lines, id) {
    const body = element("div");
    body.append(element("b", title));
    for (const line of lines) if (line) body.append(element("div", line));
    if (id !== undefined) {
      const link = element("a", words.card);
      link.href = card(id);
      body.append(link);
    }
    return body;
  }
  function marker(place, html, size, name) {
    const icon = L.divIcon({ html, className: "", iconSize: [size, size], iconAnchor: [size / 2, size / 2] });
    const made = L.marker(place, { icon, title: name });
    // what has a name but no picture needs it said to who cannot see it
    made.on("add", () => {
      made.getElement().setAttribute("role", "button");
      made.getElement().setAttribute("aria-label", name);
    });
    return made;
  }
  function way(places, type, pattern) {
    return L.polyline(places, { className: type, weight: type === "without" ? 2.5 : 3.5, opacity: 0.9, dashArray: pattern || null, interactive: false });
  }
  const patterns = ["", "12 6", "3 6", "12 5 3 5"];

  let alone = null, points = null;

  // One person: an area or a day; each is a group that can be shown alone.
  const groups = data.people.map((who) => {
    const kind = `k${who.colour}`;
    const group = { planned: L.layerGroup(), other: L.layerGroup(), stops: [], names: [] };
    if (who.area) {
      const area = L.geoJSON(who.area, { style: { className: `area ${kind}`, weight: 2, dashArray: patterns[who.pattern] || null } });
      if (who.territory) {
        area.on("click", (event) => {
          L.DomEvent.stopPropagation(event);
          const row = points?.near(event); // an account counts before the area it lies in
          if (row) points.open(row);
          else L.popup().setLatLng(event.latlng).setContent(popup(`${who.territory} · ${who.name}`, [who.facts, who.more])).openOn(map);
        });
        group.names.push([element("span", who.territory, "name"), who.label, who.zoom]);
      } else area.options.interactive = false;
      area.addTo(group.planned);
    }
    if (who.way) {
      way(who.way, kind, patterns[who.pattern]).addTo(group.planned);
      for (const stop of who.stops) {
        const disc = element("div", stop.n, `stop ${kind}`);
        const pin = marker(stop.at, disc, 28, `${stop.n}. ${stop.name}, ${stop.time}`);
        pin.bindPopup(popup(`${stop.n}. ${stop.name}`, [`${stop.time}, ${who.name}`, `${stop.what}, ${words.gain.toLowerCase()} ${stop.gain}`], stop.id));
        pin.addTo(group.planned);
        group.stops.push(pin);
      }
      if (who.home) {
        const house = element("div", undefined, `home ${kind}`);
        house.innerHTML = '<svg width="26" height="26" viewBox="0 0 22 22" aria-hidden="true"><path d="M11 2 2 10h2.4v9h13.2v-9H20z"/></svg>';
        const name = words.home.replace("%(who)s", who.name);
        marker(who.home, house, 26, name).bindPopup(popup(name, [])).addTo(group.planned);
      }
    }
    if (who.other) {
      way(who.other.way, "without", "3 7").addTo(group.other);
      for (const stop of who.other.stops) {
        const pin = marker(stop.at, element("div", stop.n, "stop without"), 24, `${stop.n}. ${stop.name}, ${stop.time}`);
        pin.setZIndexOffset(-500);
        pin.bindPopup(popup(`${stop.n}. ${stop.name}`, [stop.time, `${words.gain} ${stop.gain}`], stop.id)).addTo(group.other);
      }
    }
    return group;
  });

  // Accounts are drawn on one canvas: a hundred thousand of them are one picture, not as many elements.
  const sizes = [3, 4.5, 6.5];
  const values = data.accounts.map((row) => row[6]).filter((value) => value > 0).sort((a, b) => a - b);
  const edges = [values[Math.floor(values.length / 3)], values[Math.floor((2 * values.length) / 3)]];
  const sizeOf = (value) => (value > 0 ? (value >= edges[1] ? 2 : value >= edges[0] ? 1 : 0) : 0);
  const Points = L.Layer.extend({
    onAdd() {
      this.canvas = element("canvas");
      this.canvas.style.pointerEvents = "none";
      this.canvas.setAttribute("aria-hidden", "true");
      this.getPane().append(this.canvas);
      this.sprites = new Map();
      // where each one lies at zoom 0, once: a move of the map then only scales and shifts
      this.world = new Float64Array(2 * data.accounts.length);
      data.accounts.forEach(([lat, lon], at) => {
        const { x, y } = map.project([lat, lon], 0);
        this.world.set([x, y], 2 * at);
      });
      map.on("moveend zoomend resize", this.later, this);
      map.on("click", this.pick, this);
      map.on("mousemove", this.point, this);
      this.later();
    },
    later() { this.waits ??= requestAnimationFrame(() => { this.waits = null; this.draw(); }); },
    colour(area) {
      const probe = element("i", undefined, `k${area < 0 ? 8 : data.people[area].colour}`);
      probe.style.color = "var(--k)";
      document.body.append(probe);
      const found = getComputedStyle(probe).color;
      probe.remove();
      return found;
    },
    sprite(kind, size, area) {
      const key = (kind * 8 + size) * 16 + (area < 0 ? 0 : data.people[area].colour);
      if (!this.sprites.has(key)) {
        const ratio = devicePixelRatio || 1, reach = 10, canvas = new OffscreenCanvas(2 * reach * ratio, 2 * reach * ratio);
        const pen = canvas.getContext("2d");
        pen.setTransform(ratio * size, 0, 0, ratio * size, reach * ratio, reach * ratio);
        const path = new Path2D(data.actions[kind][2]);
        pen.lineWidth = 2.4 / size;
        pen.lineJoin = "round";
        pen.strokeStyle = getComputedStyle(document.body).backgroundColor;
        pen.stroke(path);
        pen.fillStyle = this.colour(area);
        pen.fill(path);
        this.sprites.set(key, canvas.transferToImageBitmap());
      }
      return this.sprites.get(key);
    },
    draw() {
      const ratio = devicePixelRatio || 1, extent = map.getSize(), corner = map.containerPointToLayerPoint([0, 0]);
      L.DomUtil.setPosition(this.canvas, corner);
      Object.assign(this.canvas, { width: extent.x * ratio, height: extent.y * ratio });
      Object.assign(this.canvas.style, { width: `${extent.x}px`, height: `${extent.y}px` });
      const pen = this.canvas.getContext("2d"), dense = data.accounts.length > 3000 ? 0.75 : 1;
      const scale = 2 ** map.getZoom(), { x: west, y: north } = map.containerPointToLayerPoint([0, 0]).add(map.getPixelOrigin());
      // of very many, those under others need no picture of their own
      const cell = dense < 1 ? 3 : 0, columns = Math.ceil(extent.x / 3) + 8, taken = new Uint8Array(columns * (Math.ceil(extent.y / 3) + 8));
      this.seen = [];
      data.accounts.forEach((row, at) => {
        if (alone !== null && row[5] !== alone) return;
        const x = this.world[2 * at] * scale - west, y = this.world[2 * at + 1] * scale - north;
        if (x < -10 || y < -10 || x > extent.x + 10 || y > extent.y + 10) return;
        this.seen.push([x, y, row]);
        const spot = (Math.floor(y / 3) + 4) * columns + Math.floor(x / 3) + 4;
        if (cell && taken[spot]) return;
        taken[spot] = 1;
        const picture = this.sprite(row[4], sizes[sizeOf(row[6])] * dense, row[5]);
        pen.drawImage(picture, (x - 10) * ratio, (y - 10) * ratio);
      });
    },
    near({ containerPoint: { x, y } }) {
      let best = null, least = 14 * 14;
      for (const [left, top, row] of this.seen) {
        const apart = (left - x) ** 2 + (top - y) ** 2;
        if (apart <= least) [best, least] = [row, apart];
      }
      return best;
    },
    point(event) { map.getContainer().style.cursor = this.near(event) ? "pointer" : ""; },
    pick(event) {
      const row = this.near(event);
      if (row) this.open(row);
    },
    open([lat, lon, id, name, kind, area, value]) {
      const where = area < 0 ? words.nobody : `${data.people[area].territory} · ${data.people[area].name}`;
      const gain = value === null || data.actions[kind][0] === "nothing" ? "" : `, ${words.gain.toLowerCase()} ${money.format(value)}`;
      L.popup().setLatLng([lat, lon]).setContent(popup(name, [data.actions[kind][1] + gain, where, name === id ? "" : id], id)).openOn(map);
    },
  });

  const other = document.getElementById("other");
  function show() {
    groups.forEach((group, place) => {
      const here = alone === null || alone === place;
      for (const [layer, wanted] of [[group.planned, here], [group.other, here && other?.checked]]) {
        if (wanted) layer.addTo(map);
        else layer.remove();
      }
      for (const name of group.labels) name.setOpacity(here ? 1 : 0);
    });
    if (points) points.later();
    for (const item of document.querySelectorAll("[data-person]")) {
      const place = Number(item.dataset.person);
      item.classList.toggle("other", alone !== null && alone !== place);
      item.querySelector("[data-alone]")?.setAttribute("aria-pressed", String(alone === place));
    }
    fitNames();
  }
  function choose(place) {
    alone = alone === place ? null : place;
    map.closePopup();
    show();
    if (alone === null) fit();
    else map.fitBounds(extent(data.people[alone]), { padding: [40, 40], maxZoom: 15, animate: false });
  }
  function extent(who) {
    return who.way ? L.latLngBounds(who.way) : L.geoJSON(who.area).getBounds();
  }

  function listAccounts(box) {
    const place = Number(box.dataset.accounts), most = 300;
    const rows = data.accounts.filter((row) => row[5] === place).sort((a, b) => (b[6] ?? 0) - (a[6] ?? 0));
    const list = element("ul", undefined, "rows");
    for (const row of rows.slice(0, most)) {
      const item = element("li"), link = element("a", row[3]);
      link.href = card(row[2]);
      const gain = row[6] === null || data.actions[row[4]][0] === "nothing" ? "" : ` · ${money.format(row[6])}`;
      link.append(element("small", ` ${data.actions[row[4]][1]}${gain}`, "muted"));
      item.append(link);
      list.append(item);
    }
    if (rows.length > most) {
      const item = element("li"), link = element("a", `${rows.length - most} ${words.more}. ${words.find}`);
      link.href = "../accounts.html";
      item.append(link);
      list.append(item);
    }
    box.append(list);
  }

  // The sheet has another shape than the window: all of the day is to be on it.
  function fit() { map.fitBounds(data.corners, { padding: [36, 36], maxZoom: 15, animate: false }); }
  let before = null;
  function resize(style) {
    Object.assign(map.getContainer().style, style);
    map.invalidateSize({ animate: false });
  }
  addEventListener("beforeprint", () => {
    before = { center: map.getCenter(), zoom: map.getZoom() };
    resize({ width: "1060px", height: "655px" });
    fit();
  });
  addEventListener("afterprint", () => {
    resize({ width: "", height: "" });
    if (before) map.setView(before.center, before.zoom, { animate: false });
  });

  drawGround();
  addTiles(data.tiles);
  fit();
  for (const group of groups) group.labels = group.names.map(([text, place, zoom]) => label(text, place, zoom, [14, 6], "markerPane"));
  if (data.accounts.length) points = new Points({ pane: "overlayPane" }).addTo(map);
  map.on("zoomend layeradd", fitNames);
  show();
  other?.addEventListener("change", show);
  document.addEventListener("click", (event) => {
    const button = event.target.closest("button");
    if (button?.dataset.alone) choose(Number(button.dataset.alone));
    if (button?.dataset.stop) {
      const [person, stop] = button.dataset.stop.split(",").map(Number);
      if (alone !== null && alone !== person) choose(person);
      map.setView(groups[person].stops[stop].getLatLng(), Math.max(map.getZoom(), 14), { animate: false });
      groups[person].stops[stop].openPopup();
      if (innerWidth < 768) map.getContainer().scrollIntoView({ block: "start" });
    }
  });
  for (const box of document.querySelectorAll("[data-accounts]")) {
    box.addEventListener("toggle", () => { if (box.open && !box.querySelector("ul")) listAccounts(box); });
  }
  const renew = () => { if (points) { points.sprites.clear(); points.later(); } };
  new MutationObserver(renew).observe(root, { attributes: true, attributeFilter: ["data-theme"] });
  matchMedia("(prefers-color-scheme: dark)").addEventListener("change", renew);
  // an address such as routes.html#R001 shows one person alone
  const named = data.people.findIndex((who) => who.rep_id === decodeURIComponent(location.hash.slice(1)));
  if (named >= 0 && data.people.length > 1) choose(named);
})();
