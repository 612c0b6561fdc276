// A search drawn: on a grid from the task's scene, or as the lines of text that the task draws.
"use strict";

function node(name, attributes = {}, ...children) {
  const svg = ["svg", "rect", "path", "circle", "text", "polyline"].includes(name);
  const made = svg ? document.createElementNS("http://www.w3.org/2000/svg", name) : document.createElement(name);
  for (const [key, value] of Object.entries(attributes)) made.setAttribute(key, value);
  made.append(...children);
  return made;
}

function frame(written, at, solved, table) {
  let lines = [];
  for (const [head, tail, between] of written.frames.slice(0, solved ? undefined : at + 1))
    lines = [...lines.slice(0, head), ...between, ...(tail ? lines.slice(-tail) : [])];
  return node("pre", { role: "img", tabindex: 0 }, lines.map((line) => table[line]).join("\n"));
}

function grid(written, scene, at, solved, bad) {
  const { width, height } = scene, xy = (cell) => [cell % width, Math.floor(cell / width)];
  const square = (cell, inset, style) => {
    const [x, y] = xy(cell), side = 1 - 2 * inset;
    return node("rect", { x: x + inset, y: y + inset, width: side, height: side, ...style });
  };
  const svg = node("svg", { viewBox: `-0.06 -0.06 ${width + 0.12} ${height + 0.12}`, role: "img" });
  svg.append(node("rect", { width, height, fill: "none", stroke: "var(--wall)", "stroke-width": 0.1 }));
  const wall = { fill: "var(--wall)", "shape-rendering": "crispEdges" };
  for (const cell of scene.blocked) svg.append(square(cell, 0, wall));
  const marks = new Map();
  written.steps.slice(0, at).forEach(([cell, closed], k) => cell >= 0 && marks.set(cell, [closed, k]));
  for (const [cell, [closed, k]] of marks) {
    const shade = { fill: "var(--closed)", "fill-opacity": 0.25 + (0.55 * (k + 1)) / written.steps.length };
    const outline = { fill: "none", stroke: "var(--created)", "stroke-width": 0.07 };
    svg.append(closed ? square(cell, 0.04, shade) : square(cell, 0.12, outline));
  }
  if (solved) {
    const points = written.path.filter((cell) => cell >= 0).map((cell) => xy(cell).map((v) => v + 0.5).join(","));
    const style = { fill: "none", stroke: "var(--path)", "stroke-width": 0.18, "stroke-linecap": "round" };
    svg.append(node("polyline", { points: points.join(" "), "stroke-linejoin": "round", ...style }));
  } else if (at && written.steps[at - 1][0] >= 0) {
    const ring = { fill: "none", stroke: "var(--path)", "stroke-width": 0.12, class: "current" };
    svg.append(square(written.steps[at - 1][0], 0.08, ring));
  }
  if (bad !== null && written.steps[bad]?.[0] >= 0) {
    const [x, y] = xy(written.steps[bad][0]);
    const cross = `M${x + 0.2} ${y + 0.2}l.6 .6m0 -.6l-.6 .6`;
    svg.append(node("path", { d: cross, stroke: "var(--bad)", "stroke-width": 0.16, class: "cross" }));
  }
  for (const [letter, cell] of Object.entries(scene.labels)) {
    const [x, y] = xy(cell);
    const font = { "font-size": 0.6, "font-weight": 700, "text-anchor": "middle", fill: "var(--ink)" };
    svg.append(node("text", { x: x + 0.5, y: y + 0.71, ...font }, letter));
  }
  return svg;
}
