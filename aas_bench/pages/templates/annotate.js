"use strict";
{
  const at = (id) => document.getElementById(id);
  const KEYS = { 1: "left", ArrowLeft: "left", 2: "right", ArrowRight: "right", 0: "tie", s: "skip" };
  let rater = "", row = null, since = 0, busy = false, broken = false;

  const show = (id) => { for (const part of ["who", "vote", "end"]) at(part).hidden = part !== id; };

  const fail = (text) => { at("trouble").textContent = text; at("trouble").hidden = !text; };

  const ask = async (address, body) => {
    const options = body === undefined ? {} :
      { method: "POST", headers: { "Content-Type": "application/json" }, body: JSON.stringify({ rater, ...body }) };
    let answer;
    try {
      answer = await fetch(address, options);
    } catch {
      throw new Error("The program does not answer. Start aas-bench annotate again; what you answered before is kept.");
    }
    if (!answer.ok) throw new Error(await answer.text());
    return answer.json();
  };

  const put = async (question) => {
    const { done, total, skipped } = question;
    row = question.row;
    broken = false;
    at("rater").textContent = rater;
    at("progress").textContent = `${done} of ${total} answered`;
    at("bar").max = total;
    at("bar").value = done;
    for (const undo of ["undo", "undo-last"]) at(undo).disabled = done === 0;
    if (row === null) {
      at("sum").textContent = `${rater}: ${total} pairs, ${skipped} of them skipped.`;
      show("end");
      return;
    }
    at("prompt").textContent = question.prompt;
    at("left").src = question.images[0];
    at("right").src = question.images[1];
    show("vote");
    at("main").setAttribute("aria-busy", "true");
    try {
      await Promise.all([at("left").decode(), at("right").decode()]);
    } catch {
      broken = true;
      fail("An image cannot be read. Skip this pair.");
    }
    at("main").setAttribute("aria-busy", "false");
    since = performance.now();
    for (const address of question.ahead) new Image().src = address;
  };

  const work = async (address, body) => {
    if (busy) return;
    busy = true;
    fail("");
    try {
      await put(await ask(address, body));
    } catch (error) {
      fail(error.message);
    }
    busy = false;
  };

  const answer = (what) => {
    if (row === null || at("vote").hidden || (broken && what !== "skip")) return;
    work("/vote", { row, answer: what, ms: Math.round(performance.now() - since) });
  };
  const undo = () => { if (at("who").hidden) work("/undo", {}); };
  const begin = (name) => { rater = name; work(`/question?rater=${encodeURIComponent(name)}`); };

  for (const button of document.querySelectorAll("[data-answer]")) {
    // Focus would make Enter and Space answer the next pair unseen.
    button.addEventListener("click", () => { button.blur(); answer(button.dataset.answer); });
  }
  for (const id of ["undo", "undo-last"]) at(id).addEventListener("click", undo);
  document.addEventListener("keydown", (event) => {
    if (event.ctrlKey || event.metaKey || event.altKey || event.repeat || !at("who").hidden) return;
    const key = event.key.length === 1 ? event.key.toLowerCase() : event.key;
    if (key === "u") undo();
    else if (key in KEYS) answer(KEYS[key]);
    else return;
    event.preventDefault();
  });
  at("who").addEventListener("submit", (event) => {
    event.preventDefault();
    const name = at("name").value.trim();
    if (name) begin(name);
  });

  if (document.body.dataset.rater) begin(document.body.dataset.rater);
  else {
    show("who");
    at("name").focus();
    ask("/raters").then((raters) => {
      for (const name of Object.keys(raters)) at("known").append(new Option(`${raters[name]} answered`, name));
    }).catch((error) => fail(error.message));
  }
}
