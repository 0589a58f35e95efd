"use strict";
// A page without a browser: the Node build of pusher-js, told what to do line by line.
// Argument: {"app_id", "key", "secret", "host", "port", "options"}.

const Pusher = require("pusher-js");
const { createBackEnd } = require("./back_end.js");
const { obey, say } = require("./line_protocol.js");

const app = JSON.parse(process.argv[2]);
const backEnd = createBackEnd(app);
const members = {};
let user = null;
const refusals = {};

const pusher = new Pusher(app.key, {
  cluster: "",
  wsHost: app.host,
  wsPort: app.port,
  forceTLS: false,
  enabledTransports: ["ws", "wss"],
  channelAuthorization: {
    customHandler: ({ socketId, channelName }, callback) => {
      if (refusals[channelName] !== undefined) {
        callback(null, refusals[channelName]);
      } else {
        callback(null, backEnd.authorizeChannel(socketId, channelName, members[channelName]));
      }
    },
  },
  userAuthentication: {
    customHandler: ({ socketId }, callback) => {
      callback(null, user.auth ? user : backEnd.authenticateUser(socketId, user));
    },
  },
  ...app.options,
});

function plain(data) {
  if (data && typeof data.each === "function") {
    return { count: data.count, me: data.me && data.me.id, members: data.members };
  }
  return data;
}

function nextPong() {
  return new Promise((resolve) => {
    const listen = (message) => {
      if (message.event === "pusher:pong") {
        pusher.connection.unbind("message", listen);
        resolve();
      }
    };
    pusher.connection.bind("message", listen);
  });
}

pusher.connection.bind("state_change", ({ previous, current }) => {
  say({ state: current, previous });
});
pusher.connection.bind("error", (error) => {
  // What ends a connection is wrapped once more than what does not.
  const inner = (error && error.error) || error;
  say({ error: (inner && inner.data) || inner });
});
// "connecting_in" is emitted for the slower of two timers; this tells what was decided first.
const { retryIn } = pusher.connection;
pusher.connection.retryIn = function (milliseconds) {
  say({ retry_in: milliseconds });
  return retryIn.call(this, milliseconds);
};
pusher.user.bind_global((event, data) => say({ user: event, data }));
pusher.user.watchlist.bind_global((event, data) => say({ watchlist: event, data }));

obey({
  subscribe: (name, member) => {
    if (member) {
      members[name] = member;
    }
    const channel = pusher.subscribe(name);
    channel.bind_global((event, data) => say({ channel: name, event, data: plain(data) }));
    channel.bind("client-typing", (data, metadata) => {
      say({ channel: name, typing: data, by: metadata ? metadata.user_id : null });
    });
  },
  unsubscribe: (name) => pusher.unsubscribe(name),
  trigger: (name, event, data) => pusher.channel(name).trigger(event, data),
  members: (name) => plain(pusher.channel(name).members),
  count: (name) => pusher.channel(name).subscriptionCount,
  answerWith: (name, answer) => {
    refusals[name] = answer;
  },
  signin: (data) => {
    user = data;
    pusher.signin();
  },
  signedIn: () => pusher.user.user_data,
  state: () => ({
    state: pusher.connection.state,
    retries: Boolean(pusher.connection.retryTimer),
  }),
  socketId: () => pusher.connection.socket_id,
  connect: () => pusher.connect(),
  disconnect: () => pusher.disconnect(),
  // Ends when all that the server has sent so far has been told.
  settle: () => {
    const answered = nextPong();
    pusher.send_event("pusher:ping", {});
    return answered;
  },
  // Ends when pusher-js has asked by itself whether the server is there, and was answered.
  pong: () => nextPong(),
});
