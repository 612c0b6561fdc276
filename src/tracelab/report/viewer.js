// The trace viewer: filters choose outcomes, a position steps through the model's search and the reference's.
// Position k shows the first k steps of each; behind its last step stands its solution.
const el = (id) => document.getElementById(id);
let data, chosen = [], current = null, position = 0;

async function unpack(text) {
  const bytes = Uint8Array.from(atob(text), (c) => c.charCodeAt(0));
  const stream = new Blob([bytes]).stream().pipeThrough(new DecompressionStream("gzip"));
  return JSON.parse(await new Response(stream).text());
}

const spaced = (name) => name.replaceAll("_", " ");
const words = (tokens) => tokens.map((t) => data.words[t] ?? "<|unk|>").join(" ");
const strict = () => data.levels.indexOf("strict");

// ---- filters ----

const FILTERS = {
  run: (o, v) => o.run === +v,
  split: (o, v) => o.split === +v,
  solution: (o, v) => o.solution[0] === (v === "valid"),
  trace: (o, v) => (o.trace[strict()][0] === "ok") === (v === "valid"),
  reason: (o, v) => reasonsOf(o).includes(v),
};

function reasonsOf(o) {
  const of = [["solution", o.solution[2]], ["trace", o.trace[strict()][0]]];
  return of.filter(([, reason]) => reason !== "ok").map((pair) => pair.join(": "));
}

function fill(select, options) {
  const before = select.value;
  select.replaceChildren(...options.map(([value, label]) => node("option", { value }, label)));
  if (options.some(([value]) => String(value) === before)) select.value = before;
}

const passing = (names) =>
  data.outcomes.filter((o) => names.every((name) => el(name).value === "" || FILTERS[name](o, el(name).value)));

function filter() {
  const counts = new Map();
  for (const o of passing(["run", "split", "solution", "trace"]))
    for (const reason of reasonsOf(o)) counts.set(reason, (counts.get(reason) ?? 0) + 1);
  const reasons = [...counts].sort((a, b) => b[1] - a[1]).map(([r, n]) => [r, `${spaced(r)} (${n})`]);
  fill(el("reason"), [["", "any"], ...reasons]);
  chosen = passing(Object.keys(FILTERS));
  const label = (o) => `problem ${data.problems[o.problem].index}` + (o.sample ? `, sample ${o.sample}` : "");
  fill(el("outcome"), chosen.map((o, k) => [k, label(o)]));
  el("outcome").selectedIndex = chosen.length ? 0 : -1;
  el("shown").hidden = chosen.length === 0;
  show();
}

function show() {
  const k = el("outcome").selectedIndex;
  current = chosen[k] ?? null;
  el("count").textContent = chosen.length ? `${k + 1} of ${chosen.length}` : "No outcome is like that.";
  el("previous").disabled = k <= 0;
  el("next").disabled = k < 0 || k >= chosen.length - 1;
  if (current) open();
}

// ---- one outcome ----

const steps = (written) => written.ends.length - 1;
const badStep = (o) => o.trace[strict()][1];

function open() {
  const o = current, problem = data.problems[o.problem];
  const last = Math.max(steps(o), steps(problem.reference)) + 1;
  Object.assign(el("step"), { max: last });
  el("verdicts").replaceChildren(...verdicts(o));
  const bad = badStep(o), marked = bad !== null && bad >= 0;
  el("bad").hidden = el("mark").hidden = !marked;
  if (marked) {
    const share = badPosition(o) / last;
    el("mark").style.left = `calc(${100 * share}% + ${(0.5 - share) * 16}px)`;
    el("bad").textContent = failure(o, bad);
  }
  el("prompt").textContent = words(problem.prompt);
  el("completion").textContent = words(o.tokens);
  pane(el("model"), "The model's trace", o, problem, bad);
  pane(el("reference"), "The reference solver's trace", problem.reference, problem, null);
  go(last);
}

// Steps are counted from 0, as in the columns. What is wrong behind the last step has no step of its own: a cut,
// an end too early, another solution.
function failure(o, bad) {
  const n = steps(o), where = bad < n ? `First bad step: ${bad}` : n ? `After step ${n - 1}, the last` : "No step";
  return `${where}, ${spaced(o.trace[strict()][0])}`;
}
const badPosition = (o) => Math.min(badStep(o) + 1, steps(o));

function verdicts(o) {
  const verdict = (name, reason, at) => {
    const none = at === null || at === undefined || at < 0;
    const where = none ? "" : at < steps(o) ? ` at step ${at}` : " after the last step";
    const word = reason === "ok" ? "valid" : spaced(reason) + where;
    return [`${name}: `, node("span", { class: reason === "ok" ? "good" : "wrong" }, word), " · "];
  };
  const parts = verdict("solution", o.solution[2]);
  if (o.solution[0]) parts.push(o.solution[1] ? "optimal" : "not optimal", " · ");
  data.levels.forEach((level, k) => parts.push(...verdict(`trace ${level}`, ...o.trace[k])));
  parts.push(`geometric mean of its tokens' probabilities ${o.confidence.toFixed(3)}`);
  if (o.truncated) parts.push(" · ", node("span", { class: "wrong" }, "cut off at the length limit"));
  const measures = Object.entries(data.problems[o.problem].complexity);
  const round = (value) => (Number.isInteger(value) ? value : value.toPrecision(3));
  return [...parts, node("br"), node("small", {}, measures.map(([k, v]) => `${spaced(k)} ${round(v)}`).join(" · "))];
}

function pane(article, title, written, problem, bad) {
  const list = node("ol", { class: "steps", start: 0, tabindex: 0, "aria-label": `Steps of ${title.toLowerCase()}` });
  for (let k = 0; k < steps(written); k++) {
    const item = node("li", k === bad ? { class: "first-bad" } : {}, stepText(written, k));
    item.addEventListener("click", () => go(k + 1));
    list.append(item);
  }
  article.replaceChildren(node("h3", {}, title), node("div", { class: "picture" }), node("p", { class: "now" }), list);
  article.written = { written, problem, bad };
}

const stepText = (written, k) => words(written.tokens.slice(written.ends[k], written.ends[k + 1]));
const rest = (written) => words(written.tokens.slice(written.ends[steps(written)]));

function go(to) {
  if (!current) return;
  const n = steps(current), last = +el("step").max;
  position = Math.max(0, Math.min(last, to));
  el("step").value = position;
  const place = position === last ? "solution" : position > n ? `${position} steps` : `${position} of ${n} steps`;
  el("place").textContent = place;
  el("step").setAttribute("aria-valuetext", place);
  el("back").disabled = position === 0;
  el("forward").disabled = position === last;
  for (const article of [el("model"), el("reference")]) draw(article);
}

function draw(article) {
  const { written, problem, bad } = article.written, n = steps(written), solved = position > n;
  const at = Math.min(position, n), failed = bad !== null && bad >= 0 && position >= Math.min(bad + 1, n);
  const now = article.querySelector(".now");
  const said = solved ? rest(written) : at ? stepText(written, at - 1) : "before the first step";
  const where = solved ? "Behind the trace: " : at ? `Step ${at - 1}: ` : "";
  now.replaceChildren(where, node("code", {}, said || "nothing"));
  if (failed) {
    now.append(node("br"), node("span", { class: "wrong" }, `✕ ${failure(current, bad)}`));
  }
  const items = article.querySelectorAll("li");
  items.forEach((item, k) => {
    item.classList.toggle("past", k < at);
    if (k === at - 1 && !solved) item.setAttribute("aria-current", "step");
    else item.removeAttribute("aria-current");
  });
  const list = article.querySelector("ol"), item = items[Math.max(0, at - 1)];
  if (item) list.scrollTop = item.offsetTop - list.clientHeight / 2;
  const picture = problem.scene
    ? grid(written, problem.scene, at, solved, failed ? bad : null)
    : frame(written, at, solved, data.lines);
  picture.setAttribute("aria-label", `${solved ? "solution" : `${at} of ${n} steps`}: ${said}`);
  article.querySelector(".picture").replaceChildren(picture);
}

// ---- events ----

function turn(by) {
  const k = el("outcome").selectedIndex + by;
  if (k >= 0 && k < chosen.length) {
    el("outcome").selectedIndex = k;
    show();
  }
}

const KEYS = {
  ArrowLeft: () => go(position - 1),
  ArrowRight: () => go(position + 1),
  p: () => turn(-1),
  n: () => turn(1),
  b: () => current && badStep(current) !== null && go(badPosition(current)),
};

function inView() {
  const box = el("browser").getBoundingClientRect();
  return box.top < innerHeight && box.bottom > 0;
}

function listen() {
  for (const name of Object.keys(FILTERS)) el(name).addEventListener("change", filter);
  el("outcome").addEventListener("change", show);
  el("previous").addEventListener("click", () => turn(-1));
  el("next").addEventListener("click", () => turn(1));
  el("step").addEventListener("input", () => go(+el("step").value));
  el("back").addEventListener("click", () => go(position - 1));
  el("forward").addEventListener("click", () => go(position + 1));
  el("bad").addEventListener("click", KEYS.b);
  document.addEventListener("keydown", (event) => {
    const typing = ["SELECT", "INPUT"].includes(event.target.tagName) && event.target !== el("step");
    if (typing || event.altKey || event.ctrlKey || event.metaKey || !KEYS[event.key] || !inView()) return;
    event.preventDefault();
    KEYS[event.key]();
  });
}

async function start() {
  const packed = el("outcomes").textContent;
  if (!packed || !el("browser")) return;
  data = await unpack(packed);
  fill(el("run"), data.runs.map((name, k) => [k, name]));
  fill(el("split"), data.splits.map((name, k) => [k, spaced(name)]));
  for (const name of ["solution", "trace"]) fill(el(name), [["", "any"], ["valid", "valid"], ["not", "not valid"]]);
  el("browser").hidden = false;
  listen();
  filter();
}

start();
