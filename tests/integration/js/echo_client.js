"use strict";
// A Laravel page without a browser: laravel-echo over pusher-js, told what to do line by line.
// Argument: {"app_id", "key", "secret", "host", "port", "broadcaster"}.

const Pusher = require("pusher-js");
const { createBackEnd } = require("./back_end.js");
const { obey, say } = require("./line_protocol.js");

const app = JSON.parse(process.argv[2]);
const backEnd = createBackEnd(app);
const members = {};
const forged = new Set();

async function main() {
  const { default: Echo } = await import("laravel-echo");
  const echo = new Echo({
    broadcaster: app.broadcaster,
    Pusher,
    key: app.key,
    cluster: "",
    wsHost: app.host,
    wsPort: app.port,
    wssPort: app.port,
    forceTLS: false,
    enabledTransports: ["ws", "wss"],
    channelAuthorization: {
      customHandler: ({ socketId, channelName }, callback) => {
        const auth = backEnd.authorizeChannel(socketId, channelName, members[channelName]);
        callback(null, forged.has(channelName) ? { ...auth, auth: `${app.key}:forged` } : auth);
      },
    },
  });

  function watch(channel, name, events) {
    channel.subscribed(() => say({ subscribed: name }));
    channel.error((error) => say({ failed: name, error }));
    for (const event of events) {
      channel.listen(event, (data) => say({ heard: event, on: name, data }));
    }
    return channel;
  }

  echo.connector.pusher.connection.bind("state_change", ({ current }) => say({ state: current }));
  obey({
    channel: (name, ...events) => void watch(echo.channel(name), name, events),
    private: (name, ...events) => {
      watch(echo.private(name), name, events).listenForWhisper("typing", (data) =>
        say({ whisper: "typing", on: name, data }),
      );
    },
    encrypted: (name, ...events) => void watch(echo.encryptedPrivate(name), name, events),
    forged: (name) => {
      forged.add(`private-${name}`);
      watch(echo.private(name), name, []);
    },
    join: (name, member, ...events) => {
      members[`presence-${name}`] = member;
      watch(echo.join(name), name, events)
        .here((users) => say({ here: users, on: name }))
        .joining((user) => say({ joining: user, on: name }))
        .leaving((user) => say({ leaving: user, on: name }))
        .listenForWhisper("typing", (data) => say({ whisper: "typing", on: name, data }));
    },
    notification: (name) => {
      echo.private(name).notification((data) => say({ notification: data, on: name }));
    },
    whisper: (name, data) => void echo.private(name).whisper("typing", data),
    whisperTo: (name, data) => void echo.join(name).whisper("typing", data),
    leave: (name) => echo.leave(name),
    socketId: () => echo.socketId(),
    disconnect: () => echo.disconnect(),
  });
}

main();
