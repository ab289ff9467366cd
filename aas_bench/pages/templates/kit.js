"use strict";
// One script for the live page and for plain files: a board is a table (or a set of cards) with its
// controls; it filters, searches, sorts, shows columns, and keeps the choice in the address.
// Text from records only ever enters the page as it was escaped by the server, or as text nodes.
(() => {
  const RESERVED = ["tab", "q", "sort", "cols", "a", "b"];
  const FILTERS = [
    "task", "status", "reward", "family", "weights", "alignment", "measure",
    "dimension", "group", "dose", "outcome",
  ];
  const MOST = 200;
  const live = document.documentElement.hasAttribute("data-live") || !document.body?.dataset.static;
  const boards = new Map();
  let arrived = new URLSearchParams(location.search);
  let current = arrived.get("tab");

  const mayBeNumber = (cell) => {
    const text = cell?.dataset.value;
    return text === undefined ? null : Number(text);
  };

  // The address: what is not ours (a theme, a token) stays as it is.
  const write = (tab, own, push = false) => {
    const query = new URLSearchParams(location.search);
    for (const key of [...RESERVED, ...FILTERS]) query.delete(key);
    if (live && tab) query.set("tab", tab);
    for (const [key, value] of own) query.set(key, value);
    const text = query.toString();
    const address = text ? `?${text}` : location.pathname;
    if (push) history.pushState(history.state, "", address);
    else history.replaceState(history.state, "", address);
  };

  class Board {
    constructor(root, name) {
      this.root = root;
      this.name = name;
      this.form = root.querySelector("form.controls");
      this.body = root.querySelector("[data-main] [data-rows], [data-cards]");
      this.table = root.querySelector("table[data-main]");
      this.rows = this.body ? [...this.body.children] : [];
      this.first = new Map(this.rows.map((row, i) => [row, i]));
      this.sort = this.table?.dataset.sort ?? "";
      // A long table holds its first rows only: the server filters, sorts and sends the others.
      this.total = live ? Number(this.table?.dataset.total ?? 0) : 0;
      this.cards = root.querySelector("[data-cards]");
      this.page = Number(this.cards?.dataset.page ?? MOST);
      this.most = this.page;
      this.exports = [...root.querySelectorAll("a[data-export]")];
      this.bases = this.exports.map((link) => link.getAttribute("href"));
      for (const table of root.querySelectorAll("table[data-sort]")) this.heads(table);
      if (!this.form) return;
      this.form.hidden = false;
      this.form.addEventListener("submit", (event) => event.preventDefault());
      this.form.addEventListener("input", (event) => this.changed(event.target.name === "q"));
      this.form.addEventListener("reset", (event) => {
        event.preventDefault();
        this.take(new URLSearchParams());
        this.changed();
        this.form.elements.q?.focus();
      });
      this.columns = [...this.form.querySelectorAll("input[name=cols]")];
      this.style = document.createElement("style");
      root.append(this.style);
      root.querySelector("button.rest")?.addEventListener("click", () => {
        this.most = this.cards || this.total ? this.most + this.page : Infinity;
        this.draw();
      });
      this.hash = "hash" in this.form.dataset;
      if (this.hash) {
        addEventListener("hashchange", () => this.arrive());
        this.arrive();
        return;
      }
      this.take(current === name || !live ? arrived : new URLSearchParams());
      this.draw();
    }

    // A page with one board keeps its choice behind "#": links lead to it and Back undoes it.
    arrive() {
      const chosen = location.hash.includes("=");
      if (!chosen && this.drawn && location.hash !== `#${this.name}`) return;
      this.most = this.page;
      this.take(new URLSearchParams(location.hash.slice(1)));
      this.draw();
      this.drawn = true;
      if (chosen && !this.form.contains(document.activeElement)) {
        document.getElementById(this.name).scrollIntoView();
      }
    }

    heads(table) {
      const main = table === this.table;
      for (const head of table.tHead.rows[0].cells) {
        const label = head.querySelector(".hd");
        const button = document.createElement("button");
        button.type = "button";
        button.append(...label.childNodes);
        if (head.title) {
          const tip = document.createElement("span");
          tip.className = "vh";
          tip.textContent = `. ${head.title}`;
          button.append(tip);
        }
        label.append(button);
        button.addEventListener("click", () => this.toggle(table, head));
      }
      if (!main) this.order(table, table.dataset.sort, [...table.tBodies[0].rows]);
    }

    toggle(table, head) {
      const { key } = head.dataset;
      const now = table === this.table ? this.sort : table.dataset.sort;
      const descends = "numeric" in head.dataset;
      const start = descends ? `-${key}` : key;
      const other = descends ? key : `-${key}`;
      const next = now === start ? other : start;
      if (table === this.table) {
        this.sort = next;
        this.changed();
      } else {
        table.dataset.sort = next;
        this.order(table, next, [...table.tBodies[0].rows]);
      }
    }

    order(table, sort, rows) {
      const heads = [...table.tHead.rows[0].cells];
      const key = sort.replace(/^-/, "");
      const sign = sort.startsWith("-") ? -1 : 1;
      const at = heads.findIndex((head) => head.dataset.key === key);
      heads.forEach((head, i) => {
        if (i === at) head.setAttribute("aria-sort", sign < 0 ? "descending" : "ascending");
        else head.removeAttribute("aria-sort");
      });
      if (at < 0) return rows;
      const numeric = "numeric" in heads[at].dataset;
      const keys = new Map(rows.map((row) => {
        const cell = row.cells[at];
        if (numeric) return [row, mayBeNumber(cell)];
        return [row, (cell.querySelector(".nm, .pill") ?? cell).textContent.toLowerCase()];
      }));
      rows.sort((a, b) => {
        const [x, y] = [keys.get(a), keys.get(b)];
        if (x === y) return (this.first.get(a) ?? 0) - (this.first.get(b) ?? 0);
        if (x === null) return 1;
        if (y === null) return -1;
        return sign * (x < y ? -1 : 1);
      });
      table.tBodies[0].append(...rows);
      return rows;
    }

    // Address -> controls.
    take(query) {
      this.form.elements.q.value = query.get("q") ?? "";
      for (const select of this.form.querySelectorAll("select")) {
        const wanted = query.get(select.name) ?? select.dataset.default;
        const known = [...select.options].some((option) => option.value === wanted);
        select.value = known ? wanted : select.dataset.default;
      }
      const keys = query.get("cols")?.split(",");
      for (const box of this.columns) {
        box.checked = keys ? keys.includes(box.value) : box.defaultChecked;
      }
      this.sort = query.get("sort") || this.table?.dataset.sort || "";
    }

    // Controls -> address; what is as it was at first is left out.
    state() {
      const query = new URLSearchParams();
      const search = this.form.elements.q.value.trim();
      if (search) query.set("q", search);
      for (const select of this.form.querySelectorAll("select")) {
        if (select.value !== select.dataset.default) query.set(select.name, select.value);
      }
      if (this.table && this.sort !== this.table.dataset.sort) query.set("sort", this.sort);
      if (this.columns.some((box) => box.checked !== box.defaultChecked)) {
        query.set("cols", this.columns.filter((b) => b.checked).map((b) => b.value).join(",") || "-");
      }
      return query;
    }

    changed(typed = false) {
      const behind = `#${this.state().toString() || this.name}`;
      if (this.hash && !typed) {
        location.hash = behind;
        return;
      }
      this.most = this.page;
      this.draw();
      if (this.hash) history.replaceState(history.state, "", behind);
      else if (!live || current === this.name) write(this.name, this.state());
    }

    // What the server answers last is drawn, not what arrives last.
    ask() {
      const asked = (this.asked = (this.asked ?? 0) + 1);
      clearTimeout(this.waiting);
      this.waiting = setTimeout(async () => {
        const query = this.state();
        query.set("n", String(this.most));
        const answer = await fetch(`rows/${this.table.id}?${query}`);
        if (!answer.ok || asked !== this.asked) return;
        const text = new DOMParser().parseFromString(await answer.text(), "text/html");
        if (asked !== this.asked) return;
        const found = text.querySelector("tbody");
        this.rows = [...found.rows];
        this.body.replaceChildren(...this.rows);
        this.first = new Map(this.rows.map((row, i) => [row, i]));
        this.order(this.table, this.sort, this.rows);
        this.tell(Number(found.dataset.matching), this.total);
        this.hideColumns();
        this.link();
      }, 120);
    }

    draw() {
      if (this.total && (this.begun || this.state().toString())) {
        this.begun = true;
        this.ask();
        return;
      }
      this.begun = true;
      const needles = this.form.elements.q.value.toLowerCase().split(/\s+/).filter(Boolean);
      const chosen = [...this.form.querySelectorAll("select")].filter((s) => s.value !== "*");
      const { reward, outcome, ...rest } = Object.fromEntries(
        chosen.map((select) => [select.name, select.value]),
      );
      const wanted = Object.entries(this.cards || !reward ? rest : { ...rest, reward });
      const fits = (row) =>
        wanted.every(([key, value]) => {
          const own = row.getAttribute(`data-f-${key}`);
          return own === null || own === value || own.split("|").includes(value);
        }) && needles.every((needle) => row.dataset.q.includes(needle)) &&
        (!this.cards || this.judged(row, reward, outcome));
      if (this.table) this.rows = this.order(this.table, this.sort, this.rows);
      let matching = 0;
      for (const row of this.rows) {
        const fit = fits(row);
        matching += fit;
        row.hidden = !fit || matching > this.most;
        if (fit) delete row.dataset.out;
        else row.dataset.out = "yes";
      }
      if (this.total) this.tell(Number(this.table.dataset.matching), this.total);
      else this.tell(matching, this.rows.length);
      this.hideColumns();
      this.link();
    }

    // What is taken away is what is seen.
    link() {
      if (!live) return;
      const query = this.state().toString();
      this.exports.forEach((link, i) => {
        link.setAttribute("href", query ? `${this.bases[i]}?${query}` : this.bases[i]);
      });
    }

    // A card shows the chosen reward model only, and fits where one that it shows has the outcome.
    judged(card, reward, outcome) {
      const lines = [...card.querySelectorAll("tbody tr")];
      for (const line of lines) line.hidden = Boolean(reward) && line.dataset.reward !== reward;
      return !outcome || lines.some((line) => !line.hidden && line.dataset.outcome === outcome);
    }

    tell(matching, total) {
      const what = this.table ? "rows" : "pairs";
      const shown = Math.min(this.most, this.rows.length);
      const more = matching > shown;
      const some = matching === total ? `${total} ${what}` : `${matching} of ${total} ${what}`;
      const none = total ? `Nothing matches: 0 of ${total} ${what}` : `0 ${what}`;
      this.root.querySelector(".count").textContent =
        !matching ? none : more ? `${some}, the first ${shown} shown` : some;
      const rest = this.root.querySelector("button.rest");
      if (!rest) return;
      rest.hidden = !more;
      const all = !this.cards && !this.total;
      rest.textContent = all ? `Show all ${matching} ${what}` : `Show more ${what}`;
    }

    // Before any choice, a column that says nothing in the rows shown is left out.
    hideColumns() {
      if (!this.table) return;
      const chosen = new Map(this.columns.map((box) => [box.value, box]));
      const touched = this.columns.some((box) => box.checked !== box.defaultChecked);
      const seen = this.rows.filter((row) => !row.dataset.out);
      const hidden = [];
      [...this.table.tHead.rows[0].cells].forEach((head, i) => {
        const box = chosen.get(head.dataset.key);
        if (!box) return;
        const empty = !touched && seen.length > 0 &&
          seen.every((row) => row.cells[i].classList.contains("none"));
        if (!box.checked || empty) hidden.push(i + 1);
        if (head.dataset.key === "outcomes") {
          const legend = this.root.querySelector(".legend[data-for=outcomes]");
          if (legend) legend.hidden = !box.checked || empty;
        }
      });
      this.style.textContent = hidden
        .map((i) => `#${this.table.id} tr > :nth-child(${i}) { display: none; }`)
        .join("\n");
    }
  }

  // Ten pairs of the gallery, sides and order by chance, without a name or a score; then how often
  // each reward model chose as the reader did. The choices are kept in this browser alone.
  const QUESTIONS = 10;
  const KEPT = "aas-bench-choices";
  class Quiz {
    constructor(root) {
      this.details = root.querySelector("details.quiz");
      this.place = root.querySelector(".ask");
      this.cards = [...root.querySelectorAll("[data-cards] > article")];
      if (!this.details || this.cards.length < 2) return;
      this.details.hidden = false;
      this.details.addEventListener("toggle", () => this.details.open && this.open());
    }

    open() {
      if (this.begun) return;
      this.begun = true;
      const kept = this.kept();
      if (kept) this.answer(kept);
      else this.start();
    }

    kept() {
      try {
        const found = JSON.parse(localStorage.getItem(KEPT) ?? "null");
        const names = new Set(this.cards.map((card) => card.dataset.pair));
        const known = (each) => names.has(each?.pair) && typeof each.asked === "boolean";
        return Array.isArray(found) && found.length && found.every(known) ? found : null;
      } catch {
        return null;
      }
    }

    start() {
      const left = [...this.cards];
      this.asked = [];
      while (left.length && this.asked.length < QUESTIONS) {
        const [card] = left.splice(Math.floor(Math.random() * left.length), 1);
        this.asked.push(card);
      }
      this.choices = [];
      this.question();
    }

    question() {
      const card = this.asked[this.choices.length];
      const number = document.createElement("p");
      number.className = "note";
      number.setAttribute("role", "status");
      number.textContent = `Pair ${this.choices.length + 1} of ${this.asked.length}`;
      const prompt = document.createElement("p");
      prompt.className = "prompt";
      prompt.textContent = card.querySelector(".prompt").textContent;
      const images = document.createElement("div");
      images.className = "images";
      const sides = [...card.querySelectorAll(".images figure")];
      if (Math.random() < 0.5) sides.reverse();
      sides.forEach((side, i) => {
        const button = document.createElement("button");
        button.type = "button";
        const image = side.querySelector("img").cloneNode();
        image.alt = i ? "the right image" : "the left image";
        image.loading = "eager";
        button.append(image);
        button.addEventListener("click", () => this.choose(card, side.classList.contains("asked")));
        images.append(button);
      });
      this.place.replaceChildren(number, prompt, images);
      if (this.choices.length) images.firstChild.focus();
    }

    choose(card, asked) {
      this.choices.push({ pair: card.dataset.pair, asked });
      if (this.choices.length < this.asked.length) {
        this.question();
        return;
      }
      try {
        localStorage.setItem(KEPT, JSON.stringify(this.choices));
      } catch { /* a browser that keeps nothing shows the answer all the same */ }
      this.answer(this.choices);
    }

    answer(choices) {
      const counts = new Map();
      for (const { pair, asked } of choices) {
        const card = this.cards.find((each) => each.dataset.pair === pair);
        for (const line of card.querySelectorAll("tbody tr")) {
          const verdict = line.dataset.outcome;
          if (!verdict || verdict === "tied") continue;
          const [agree, of] = counts.get(line.dataset.reward) ?? [0, 0];
          const same = ["followed", "lucky", "asked"].includes(verdict) === asked;
          counts.set(line.dataset.reward, [agree + same, of + 1]);
        }
      }
      const own = choices.filter((each) => each.asked).length;
      const said = document.createElement("p");
      said.className = "finding";
      said.setAttribute("role", "status");
      said.textContent = `You chose the image that was asked for in ${own} of ${choices.length} pairs.`;
      const list = document.createElement("ul");
      for (const [name, [agree, of]] of [...counts].sort((a, b) => b[1][0] / b[1][1] - a[1][0] / a[1][1])) {
        const line = document.createElement("li");
        line.textContent = `${name} chose as you did in ${agree} of ${of}.`;
        list.append(line);
      }
      const few = document.createElement("p");
      few.className = "note";
      few.textContent = `${choices.length} pairs say little: read it as a taste, not as a measurement.`;
      const again = document.createElement("button");
      again.type = "button";
      again.className = "rest";
      again.textContent = "Ask me again";
      again.addEventListener("click", () => {
        try {
          localStorage.removeItem(KEPT);
        } catch { /* nothing was kept */ }
        this.start();
      });
      this.place.replaceChildren(said, list, few, again);
    }
  }

  const begin = (element) => {
    const root = element.querySelector("[data-tab]");
    if (!root) return;
    boards.set(root.dataset.tab, new Board(root, root.dataset.tab));
    if (root.dataset.tab === "gallery") new Quiz(root);
    const form = root.querySelector("form.pick");
    if (form && !live) choose(root, form);
    for (const select of form?.elements ?? []) {
      select.addEventListener("change", () => (live ? pick(element, root) : swap(root, form)));
    }
  };

  // Plain files: every comparison lies in the page, closed, by its two ids.
  const choose = (root, form) => {
    const pairs = [...document.querySelectorAll("[data-pair][data-a]")].map((each) => each.dataset);
    if (!pairs.length) return;
    const wanted = [arrived.get("a"), arrived.get("b")];
    const known = pairs.some(({ a, b }) => a === wanted[0] && b === wanted[1]);
    const [a, b] = known ? wanted : [pairs[0].a, pairs[0].b];
    const names = new Map(pairs.flatMap((each) => [[each.a, each.nameA], [each.b, each.nameB]]));
    const fill = (select, ids, value) => {
      select.replaceChildren(...ids.map((id) => new Option(names.get(id), id, false, id === value)));
    };
    const others = (id) => pairs.flatMap((each) =>
      each.a === id ? [each.b] : each.b === id ? [each.a] : []);
    fill(form.elements.a, [...names.keys()], a);
    fill(form.elements.b, others(a), b);
    form.elements.a.addEventListener("change", () => {
      const left = others(form.elements.a.value);
      const kept = form.elements.b.value;
      fill(form.elements.b, left, left.includes(kept) ? kept : left[0]);
    });
    form.hidden = false;
    document.querySelector("[data-pairs]").hidden = true;
    swap(root, form);
  };
  const swap = (root, form) => {
    const [a, b] = [form.elements.a.value, form.elements.b.value];
    const found = [...document.querySelectorAll("[data-pair][data-a]")].find(({ dataset }) =>
      (dataset.a === a && dataset.b === b) || (dataset.a === b && dataset.b === a));
    if (!found) return;
    root.querySelector(".result").replaceChildren(found.lastElementChild.cloneNode(true));
    write(root.dataset.tab, new URLSearchParams({ a, b }));
  };

  // Compare two: the choice is in the address, the answer comes from the server.
  const pick = (element, root) => {
    const form = root.querySelector("form.pick");
    const chosen = new URLSearchParams(new FormData(form));
    write(root.dataset.tab, chosen);
    arrived = new URLSearchParams(location.search);
    const focused = document.activeElement?.name;
    element.load(chosen).then(() => {
      element.querySelector(`select[name="${focused}"]`)?.focus();
    });
  };

  class BoardElement extends HTMLElement {
    connectedCallback() {
      if (this.dataset.begun) return;
      this.dataset.begun = "yes";
      if (!this.hasAttribute("src")) {
        begin(this);
        return;
      }
      const query = new URLSearchParams();
      if (current === this.getAttribute("name")) {
        for (const key of ["a", "b"]) if (arrived.has(key)) query.set(key, arrived.get(key));
      }
      this.load(query);
    }

    async load(query) {
      const text = query.toString();
      try {
        const answer = await fetch(this.getAttribute("src") + (text ? `?${text}` : ""));
        if (!answer.ok) throw new Error(`the server answered ${answer.status}`);
        this.innerHTML = await answer.text();
      } catch (error) {
        const line = document.createElement("p");
        line.className = "aas empty";
        line.setAttribute("role", "alert");
        line.textContent = `This tab could not be loaded: ${error.message}. Reload the page.`;
        this.replaceChildren(line);
        return;
      }
      begin(this);
    }
  }

  // Tabs of the live page: the address follows the tab, and on arrival the tab follows the address.
  const opened = (name, push) => {
    current = name;
    const board = boards.get(name);
    const form = document.querySelector(`[data-tab="${name}"] form.pick`);
    if (form) write(name, new URLSearchParams(new FormData(form)), push);
    else write(name, board?.form ? board.state() : new URLSearchParams(), push);
  };
  if (live) {
    const tabs = () => [...document.querySelectorAll("[role=tab][data-tab-id]")];
    document.addEventListener("click", (event) => {
      const tab = event.target.closest?.("[role=tab][data-tab-id]");
      if (tab && tab.dataset.tabId !== current) opened(tab.dataset.tabId, true);
    });
    // Back leads to the tab before, with what was chosen there.
    addEventListener("popstate", () => {
      const query = new URLSearchParams(location.search);
      const all = tabs();
      const name = query.get("tab") ?? all[0]?.dataset.tabId;
      current = name;
      arrived = query;
      all.find((tab) => tab.dataset.tabId === name)?.click();
      const board = boards.get(name);
      if (!board?.form) return;
      board.take(query);
      board.draw();
    });
    document.addEventListener("keydown", (event) => {
      const tab = event.target.closest?.("[role=tab][data-tab-id]");
      const step = { ArrowRight: 1, ArrowLeft: -1 }[event.key];
      if (!tab || !step) return;
      const all = tabs();
      all[(all.indexOf(tab) + step + all.length) % all.length].focus();
      event.preventDefault();
    });
    const arrive = () => {
      const all = tabs();
      if (!all.length) return false;
      const wanted = all.find((tab) => tab.dataset.tabId === current);
      if (wanted) wanted.click();
      else current = all[0].dataset.tabId;
      return true;
    };
    const watch = new MutationObserver(() => arrive() && watch.disconnect());
    if (!arrive()) watch.observe(document, { childList: true, subtree: true });
  }
  customElements.define("aas-board", BoardElement);
})();
