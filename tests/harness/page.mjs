// A page small enough to draw in: elements that keep names, attributes, children. Reads the script and what it fetches from the
// command line, runs the one with the other, and prints what was drawn: ids, the text of each details, and errors.
import { readFileSync } from "node:fs";

class Element {
  constructor(name) {
    Object.assign(this, { name, attributes: {}, children: [], dataset: {}, hidden: false, listeners: {} });
    this.classList = { add: (word) => (this.attributes.class = `${this.attributes.class ?? ""} ${word}`.trim()) };
  }
  setAttribute(key, value) { this.attributes[key] = value; }
  append(...children) {
    for (const child of children) {
      if (!(child instanceof Element) && typeof child !== "string") throw new TypeError(`appended ${child}`);
      this.children.push(child);
    }
  }
  set textContent(text) { this.children = [String(text)]; }
  get textContent() { return this.children.map((child) => (typeof child === "string" ? child : child.textContent)).join(""); }
  *all() { for (const child of this.children) if (child instanceof Element) { yield child; yield* child.all(); } }
  querySelectorAll(wanted) {
    return [...this.all()].filter((one) => (wanted[0] === "." ? one.attributes.class === wanted.slice(1) : one.name === wanted));
  }
  addEventListener(kind, listener) { this.listeners[kind] = listener; }
  scrollIntoView() {}
}
class HTMLDetailsElement extends Element {}

const [, , script, description, wanted, hash] = process.argv;
const root = new Element("body");
for (const id of ["about", "find", "found", "groups", "operations", "schemas"]) {
  const place = new Element("div");
  place.setAttribute("id", id);
  root.append(place);
}
const byId = (id) => [...root.all()].find((one) => one.attributes.id === id) ?? null;
Object.assign(globalThis, {
  HTMLDetailsElement,
  location: { hash: `#${hash}` },
  addEventListener: () => {},
  fetch: async () => ({ ok: true, json: async () => JSON.parse(readFileSync(description, "utf8")) }),
  document: {
    createElement: (name) => (name === "details" ? new HTMLDetailsElement(name) : new Element(name)),
    getElementById: byId,
    querySelectorAll: (wanted) => root.querySelectorAll(wanted),
  },
});
await import(script);
const shown = () => byId("found").textContent;
const all = shown();
byId("find").listeners.input({ target: { value: wanted } });
const details = [...root.all()].filter((one) => one instanceof HTMLDetailsElement);
console.log(
  JSON.stringify({
    about: byId("about").textContent,
    found: [all, shown()],
    open: details.filter((one) => one.open).map((one) => one.attributes.id),
    drawn: Object.fromEntries(details.map((one) => [one.attributes.id, one.textContent])),
  }),
);
