// Draws /openapi.json. Every text from it goes in as text, never as markup.

const make = (name, attributes = {}, ...children) => {
  const element = document.createElement(name);
  for (const [key, value] of Object.entries(attributes)) element.setAttribute(key, value);
  element.append(...children.filter((child) => child !== null && child !== ""));
  return element;
};

/** `a `code` b` -> text and code elements. */
const prose = (text = "") =>
  make("p", {}, ...text.split(/`([^`]*)`/).map((part, index) => (index % 2 ? make("code", {}, part) : part)));

const nameOf = (reference) => reference.split("/").at(-1);
const shapeLink = (reference) => make("a", { href: `#shape-${nameOf(reference)}` }, nameOf(reference));

/** What a schema is, in a few words, with links to named shapes. */
const kind = (schema = {}) => {
  if (schema.$ref) return [shapeLink(schema.$ref)];
  const choices = schema.anyOf ?? schema.oneOf ?? schema.allOf;
  if (choices) return choices.flatMap((choice, index) => [index ? " or " : "", ...kind(choice)]);
  if (schema.enum) return [schema.enum.map((value) => JSON.stringify(value)).join(" | ")];
  if (schema.const !== undefined) return [JSON.stringify(schema.const)];
  if (schema.type === "array") return ["list of ", ...kind(schema.items)];
  if (schema.type === "object" && typeof schema.additionalProperties === "object")
    return ["map of ", ...kind(schema.additionalProperties)];
  const bounds = ["minimum", "maximum", "minLength", "maxLength", "maxItems", "pattern", "default"]
    .filter((key) => schema[key] !== undefined && schema[key] !== null)
    .map((key) => `${key} ${JSON.stringify(schema[key])}`);
  const type = [schema.type ?? "anything", schema.format].filter(Boolean).join(" ");
  return [bounds.length ? `${type} (${bounds.join(", ")})` : type];
};

const table = (heads, rows) =>
  make(
    "table",
    {},
    make("thead", {}, make("tr", {}, ...heads.map((head) => make("th", { scope: "col" }, head)))),
    make("tbody", {}, ...rows.map((cells) => make("tr", {}, ...cells.map((cell) => make("td", {}, ...[cell].flat()))))),
  );

const properties = (schema) => {
  const rows = Object.entries(schema.properties ?? {}).map(([name, said]) => [
    [make("code", {}, name), schema.required?.includes(name) ? " *" : ""],
    kind(said),
    said.description ?? "",
  ]);
  return rows.length ? table(["field", "is", ""], rows) : make("p", {}, ...kind(schema));
};

const callers = { user: "people", project: "project tokens", agent: "agent tokens", core_instance: "core instance tokens" };

const whom = (operation) => {
  const served = (operation.security ?? []).flatMap((each) => Object.keys(each)).map((scheme) => callers[scheme] ?? scheme);
  if (!served.length) return "For everybody.";
  return `For ${served.join(", ")}${operation["x-permission"] ? ` who hold ${operation["x-permission"]}` : ""}.`;
};

const bodies = (content = {}) =>
  Object.entries(content).map(([type, said]) => make("p", {}, make("code", {}, type), ": ", ...kind(said.schema)));

const drawOperation = (document_, method, path, operation) => {
  const parts = [prose(operation.description), make("p", { class: "what" }, whom(operation))];
  if (operation.parameters?.length) {
    const rows = operation.parameters.map((each) => [
      [make("code", {}, each.name), each.required ? " *" : ""],
      each.in,
      kind(each.schema),
      each.description ?? "",
    ]);
    parts.push(make("h3", {}, "Parameters"), table(["name", "in", "is", ""], rows));
  }
  if (operation.requestBody) parts.push(make("h3", {}, "Body"), ...bodies(operation.requestBody.content));
  const answers = Object.entries(operation.responses).map(([status, said]) => {
    const response = said.$ref ? document_.components.responses[nameOf(said.$ref)] : said;
    return [make("code", {}, status), response.description, bodies(response.content)];
  });
  parts.push(make("h3", {}, "Answers"), table(["status", "", ""], answers));
  const summary = make(
    "summary",
    {},
    make("span", { class: "method" }, method.toUpperCase()),
    make("span", { class: "path" }, path),
    make("span", { class: "what" }, operation.summary),
  );
  const details = make("details", { id: operation.operationId }, summary, make("div", {}, ...parts));
  if (operation.deprecated) details.classList.add("old");
  details.dataset.text = `${method} ${path} ${operation.operationId} ${operation.summary} ${operation.description}`.toLowerCase();
  return details;
};

const draw = (document_) => {
  const byTag = new Map();
  for (const [path, item] of Object.entries(document_.paths))
    for (const [method, operation] of Object.entries(item)) {
      const tag = operation.tags?.[0] ?? "other";
      if (!byTag.has(tag)) byTag.set(tag, []);
      byTag.get(tag).push(drawOperation(document_, method, path, operation));
    }
  const groups = [...byTag].sort(([one], [other]) => one.localeCompare(other));
  for (const [tag, operations] of groups) {
    const title = tag.replaceAll("_", " ");
    document.getElementById("groups").append(make("li", {}, make("a", { href: `#group-${tag}` }, title)));
    const heading = make("h2", { id: `group-${tag}` }, title);
    document.getElementById("operations").append(make("section", { class: "group" }, heading, ...operations));
  }
  for (const [name, schema] of Object.entries(document_.components.schemas).sort(([a], [b]) => a.localeCompare(b))) {
    const inside = make("div", {}, schema.description ? prose(schema.description) : null, properties(schema));
    const shape = make("details", { id: `shape-${name}` }, make("summary", {}, make("span", { class: "path" }, name)), inside);
    document.getElementById("schemas").append(shape);
  }
};

const find = (wanted) => {
  const words = wanted.toLowerCase().split(/\s+/).filter(Boolean);
  let found = 0;
  for (const group of document.querySelectorAll(".group")) {
    let shown = 0;
    for (const operation of group.querySelectorAll("details")) {
      operation.hidden = !words.every((word) => operation.dataset.text.includes(word));
      shown += operation.hidden ? 0 : 1;
    }
    group.hidden = !shown;
    found += shown;
  }
  document.getElementById("found").textContent = `${found} operations`;
};

const openTarget = () => {
  const target = document.getElementById(decodeURIComponent(location.hash.slice(1)));
  if (target instanceof HTMLDetailsElement) target.open = true;
  target?.scrollIntoView();
};

try {
  const answer = await fetch("/openapi.json");
  if (!answer.ok) throw new Error(`${answer.status} ${answer.statusText}`);
  const said = await answer.json();
  document.getElementById("about").textContent = `${said.info.summary ?? ""} Version ${said.info.version}.`;
  draw(said);
  document.getElementById("find").addEventListener("input", (event) => find(event.target.value));
  find("");
  addEventListener("hashchange", openTarget);
  openTarget();
} catch (error) {
  document.getElementById("about").textContent = `The description could not be read: ${error.message}`;
}
