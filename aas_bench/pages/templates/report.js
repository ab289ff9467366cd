"use strict";
// The gallery: cards are drawn a page at a time from the data element. Text from the data only ever
// enters the page as text nodes and attribute values, never as markup.
(() => {
  const source = document.getElementById("data");
  if (!source) return;
  const { rewards, cards, tell_label: tellLabel } = JSON.parse(source.textContent);
  const form = document.getElementById("filters");
  const list = document.getElementById("cards");
  const count = document.getElementById("count");
  const more = document.getElementById("more");
  const template = document.getElementById("card");
  const PAGE = 12;
  const LABELS = { "1": "the image asked for", "0": "the polished image", "-1": "neither" };
  let matching = [];
  let drawn = 0;

  const wanted = () => {
    const chosen = {};
    for (const select of form.querySelectorAll("select")) {
      if (select.value) chosen[select.name] = select.value;
    }
    return chosen;
  };

  const matches = (card, { dimension, group, dose, reward, outcome }) => {
    if (dimension && !card.dimension.includes(dimension)) return false;
    if (group && !card.group.includes(group)) return false;
    if (dose && card.dose !== dose) return false;
    if (!outcome) return true;
    return rewards.some(
      (name, i) => (!reward || name === reward) && card.scores[i].verdict === outcome,
    );
  };

  const element = (tag, text, className) => {
    const node = document.createElement(tag);
    if (text !== null) node.textContent = text;
    if (className) node.className = className;
    return node;
  };

  const place = (figure, image) => {
    const picture = figure.querySelector("img");
    picture.width = image.size[0];
    picture.height = image.size[1];
    picture.src = image.thumbnail;
    figure.querySelector("a").href = image.full;
  };

  const scoreRow = (name, { left, right, verdict }) => {
    const row = document.createElement("tr");
    const heading = element("th", name);
    heading.scope = "row";
    const asked = ["followed", "lucky", "asked"].includes(verdict);
    const cell = (score, chosen) => {
      const data = element("td", null, "number");
      data.append(element(chosen ? "b" : "span", score ?? "missing"));
      return data;
    };
    const judgement = document.createElement("td");
    if (verdict) {
      const words = { asked: "chose what was asked for", polished: "chose the polished image" };
      judgement.append(element("span", words[verdict] ?? verdict, `verdict ${verdict}`));
    } else {
      judgement.textContent = "not scored";
    }
    row.append(heading, cell(left, verdict && !asked), cell(right, asked), judgement);
    return row;
  };

  const draw = (card) => {
    const node = template.content.cloneNode(true);
    const [polished, asked] = node.querySelectorAll("figure");
    place(polished, card.left);
    place(asked, card.right);
    for (const [text, marked] of card.prompt) {
      node.querySelector(".prompt").append(marked ? element("mark", text) : text);
    }
    const only = wanted().reward;
    rewards.forEach((name, i) => {
      if (!only || only === name) {
        node.querySelector("tbody").append(scoreRow(name, card.scores[i]));
      }
    });
    const facts = [...card.dimension, ...card.group];
    if (card.dose !== null) facts.push(`dose ${card.dose}`);
    if (tellLabel && card.label !== null) facts.push(`label: ${LABELS[card.label]}`);
    facts.push(card.pair_id);
    node.querySelector(".facts").textContent = facts.join(" · ");
    return node;
  };

  const drawMore = () => {
    const next = matching.slice(drawn, drawn + PAGE);
    list.append(...next.map(draw));
    drawn += next.length;
    more.hidden = drawn >= matching.length;
    const total = matching.length;
    count.textContent = total
      ? `${drawn} of ${total} matching pair${total === 1 ? "" : "s"} shown.`
      : "No pair matches these filters.";
  };

  const apply = () => {
    const chosen = wanted();
    matching = cards.filter((card) => matches(card, chosen));
    list.replaceChildren();
    drawn = 0;
    drawMore();
  };

  const readHash = () => {
    const state = new URLSearchParams(location.hash.slice(1));
    for (const select of form.querySelectorAll("select")) {
      const value = state.get(select.name) ?? "";
      select.value = [...select.options].some((o) => o.value === value) ? value : "";
    }
  };

  const isFilter = () => location.hash.includes("=");

  form.addEventListener("submit", (event) => event.preventDefault());
  form.addEventListener("change", () => {
    location.hash = new URLSearchParams(wanted()).toString() || "pairs";
  });
  form.addEventListener("reset", (event) => {
    event.preventDefault();
    location.hash = "pairs";
  });
  more.addEventListener("click", drawMore);
  window.addEventListener("hashchange", () => {
    if (!isFilter() && location.hash !== "#pairs") return;
    readHash();
    apply();
    if (isFilter() && !form.contains(document.activeElement)) {
      document.getElementById("pairs").scrollIntoView();
    }
  });
  form.hidden = false;
  readHash();
  apply();
  if (isFilter()) document.getElementById("pairs").scrollIntoView();
})();
