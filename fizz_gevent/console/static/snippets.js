// Code to paste, for this server and one application.

import { $, code, el } from "./dom.js";

const quoted = (text) => JSON.stringify(text);
const php = (text) => `'${text.replaceAll("\\", "\\\\").replaceAll("'", "\\'")}'`;

function texts({ app, prefix, channel, event }) {
  const tls = location.protocol === "https:";
  const host = location.hostname;
  const port = Number(location.port) || (tls ? 443 : 80);
  const path = prefix ? `\n  wsPath: ${quoted(prefix)},` : "";
  const options = `cluster: "",
  wsHost: ${quoted(host)},
  wsPort: ${port},
  wssPort: ${port},${path}
  forceTLS: ${tls},
  enabledTransports: ["ws", "wss"],`;
  const server = host.includes(":") ? `[${host.replace(/[[\]]/g, "")}]` : host;
  return [
    ["pusher-js", `import Pusher from "pusher-js";

const pusher = new Pusher(${quoted(app.key)}, {
  ${options}
});
pusher.subscribe(${quoted(channel)}).bind(${quoted(event)}, (data) => console.log(data));`],
    ["laravel-echo", `import Echo from "laravel-echo";
import Pusher from "pusher-js";

window.Pusher = Pusher;
const echo = new Echo({
  broadcaster: "pusher",
  key: ${quoted(app.key)},
  ${options}
});
echo.channel(${quoted(channel)}).listen(${quoted(`.${event}`)}, (data) => console.log(data));`],
    ["Python (pip install pusher)", `import os
import pusher

client = pusher.Pusher(
    app_id=${quoted(app.app_id)},
    key=${quoted(app.key)},
    secret=os.environ["FIZZ_APP_SECRET"],
    host=${quoted(server)},
    port=${port},
    ssl=${tls ? "True" : "False"},
)
client.trigger(${quoted(channel)}, ${quoted(event)}, {"id": 42})`, prefix],
    ["Node (npm install pusher)", `const Pusher = require("pusher");

const pusher = new Pusher({
  appId: ${quoted(app.app_id)},
  key: ${quoted(app.key)},
  secret: process.env.FIZZ_APP_SECRET,
  host: ${quoted(server)},
  port: ${quoted(String(port))},
  useTLS: ${tls},
});
pusher.trigger(${quoted(channel)}, ${quoted(event)}, { id: 42 });`, prefix],
    ["PHP (composer require pusher/pusher-php-server)", `$pusher = new Pusher\\Pusher(
    ${php(app.key)},
    getenv('FIZZ_APP_SECRET'),
    ${php(app.app_id)},
    [
        'host' => ${php(server)},
        'port' => ${port},
        'scheme' => '${tls ? "https" : "http"}',
        'useTLS' => ${tls},${prefix ? `\n        'path' => ${php(prefix)},` : ""}
    ],
);
$pusher->trigger(${php(channel)}, ${php(event)}, ['id' => 42]);`],
  ];
}

export function drawSnippets(app, prefix) {
  if (!app) return;
  const channel = $("snippet-channel").value;
  const event = $("snippet-event").value;
  $("snippet-list").replaceChildren(
    ...texts({ app, prefix, channel, event }).flatMap(([title, text, unserved]) => [
      el("h2", {}, title),
      unserved ? el("p", { className: "dim" }, `This library knows no path in front of /apps: let a proxy map ${unserved} away for it.`) : null,
      el("div", { className: "code" }, ...code(text)),
    ]).filter(Boolean),
  );
}
