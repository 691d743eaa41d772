// What the linter holds the page's scripts to.  Formatting is prettier's; package.json has its settings.

import js from "@eslint/js";

// Named one by one: the browser's whole list has `name`, `origin`, `top` and other words that would hide a lost import.
const browser = [
  "atob",
  "clearInterval",
  "clearTimeout",
  "document",
  "getComputedStyle",
  "history",
  "ImageData",
  "performance",
  "location",
  "MessageChannel",
  "ResizeObserver",
  "setInterval",
  "setTimeout",
  "URLSearchParams",
  "window",
];

export default [
  js.configs.recommended,
  {
    languageOptions: { globals: Object.fromEntries(browser.map((name) => [name, "readonly"])) },
    rules: {
      "max-lines-per-function": ["error", { max: 40 }],
      "max-lines": ["error", { max: 300 }],
      eqeqeq: "error",
      "no-var": "error",
      "prefer-const": "error",
      "no-shadow": "error",
      "no-unused-vars": ["error", { args: "all", argsIgnorePattern: "^_" }],
      "no-use-before-define": ["error", { functions: false, classes: false, variables: false }],
      "object-shorthand": "error",
      "no-implicit-coercion": "error",
    },
  },
];
