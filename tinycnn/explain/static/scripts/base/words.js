// words: what the page says, in the reader's language.  Each has a table of texts; all have the same keys.

const TABLES = JSON.parse(document.getElementById("tables").textContent);

/** The language that the page was written in. */
export const WRITTEN = document.documentElement.lang;

/** The languages: [["en", "English"], ...]. */
export const LANGUAGES = Object.entries(TABLES).map(([name, table]) => [name, table.language]);

/** The language that the link asks for, or else the one that the page was written in. */
export function askedLanguage() {
  const asked = new URLSearchParams(location.hash.slice(1)).get("lang");
  return Object.hasOwn(TABLES, asked) ? asked : WRITTEN;
}

/** The language of this page, until it is loaded again. */
export const language = askedLanguage();
document.documentElement.lang = language;
const plural = new Intl.PluralRules(language);

/** What the table has under a key such as "slide.name": a text, or a part of the table with several. */
export function entry(key) {
  const found = key.split(".").reduce((part, name) => part?.[name], TABLES[language]);
  if (found === undefined) throw new Error(`words: the table ${language} has no ${key}`);
  return found;
}

/** The text under a key, with its {parts} put in; of several forms, {one, other}, the number n chooses. */
export function words(key, parts = {}) {
  return filled(entry(key), parts);
}

/** The same as a list, for parts that are elements. */
export function pieces(key, parts) {
  return cut(entry(key), parts);
}

/** A text of the table with its parts. */
export function filled(text, parts) {
  return cut(text, parts).join("");
}

function cut(text, parts) {
  const form = typeof text === "string" ? text : (text[plural.select(parts.n)] ?? text.other);
  return form.split(/(\{\w+\})/).map((piece) => {
    const name = piece.match(/^\{(\w+)\}$/)?.[1];
    if (!name) return piece;
    if (parts[name] === undefined) throw new Error(`words: “${form}” misses ${name}`);
    return Number.isInteger(parts[name]) ? grouped(parts[name]) : parts[name];
  });
}

/** An integer in groups of three digits; most have one group, and need no formatter. */
function grouped(n) {
  return Math.abs(n) < 1000 ? String(n) : n.toLocaleString("en");
}
