// colors: a small web server that tells which container answers, in which colour.
//
//   node app.js [PORT]      PORT is 3000 unless you name another one
//   COLOR=green node app.js the page's colour; any CSS colour will do
"use strict";

const fs = require("node:fs");
const http = require("node:http");
const os = require("node:os");
const path = require("node:path");

const escapeHtml = require("escape-html");
const ms = require("ms");

// Lab 01 changes this line, and nothing else, to see what a small edit costs.
var APP_VERSION="1.0";

const PORT = Number(process.argv[2] || 3000);
const COLOR = process.env.COLOR || "steelblue";
const PAGE = fs.readFileSync(path.join(__dirname, "index.html"), "utf8");

function facts() {
  return {
    version: APP_VERSION,
    color: COLOR,
    host: os.hostname(),
    platform: `${os.platform()}/${os.arch()}`,
    language: `Node.js ${process.version}`,
    uptime: ms(Math.round(process.uptime()) * 1000, { long: true }),
  };
}

function asText(values) {
  return Object.entries(values).map(([name, value]) => `${name}: ${value}\n`).join("");
}

function asPage(values) {
  return PAGE.replace(/\{\{(\w+)\}\}/g, (_, name) => escapeHtml(values[name]));
}

const routes = {
  "/": () => ["text/html", asPage(facts())],
  "/text": () => ["text/plain", asText(facts())],
  "/headers": (request) => ["text/plain", asText(request.headers)],
  "/health": () => ["text/plain", "healthy\n"],
};

const server = http.createServer((request, response) => {
  const [page] = request.url.split("?");
  const route = Object.hasOwn(routes, page) ? routes[page] : null;
  const [type, body] = route ? route(request) : ["text/plain", `There is no ${page} here.\n`];
  response.writeHead(route ? 200 : 404, { "Content-Type": `${type}; charset=utf-8` });
  response.end(body);
});

server.listen(PORT, () => console.log(`colors ${APP_VERSION} answers on port ${PORT}`));

// As a container's first process it gets no default signal handling: without these lines,
// stopping the container would take ten seconds.
for (const signal of ["SIGINT", "SIGTERM"]) {
  process.on(signal, () => process.exit(0));
}
