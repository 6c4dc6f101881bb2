// Package browser lets two pages in a headless Chromium chat through the hub
// that "make run" starts, and through two of those of "make run-cluster".
// pages.mjs drives the browser with playwright-core; it does what it is told on
// its standard input, a JSON object a line, and says what it saw on its
// standard output. What is right is decided here. The package has tests only.
package browser
