"use strict";
// What both pages share: their parameters, what they show, and an application that signs for them.
// A page must not know the secret; here it does, so that no further server is needed.

const query = new URLSearchParams(location.search);
const settings = Object.fromEntries(query);
const text = new TextEncoder();
window.log = [];

function note(entry) {
  window.log.push(entry);
}

function show(list, line) {
  const item = document.createElement("li");
  item.textContent = line;
  document.querySelector(list).append(item);
}

function showMembers(names) {
  document.querySelector("#members").replaceChildren();
  names.sort().forEach((name) => show("#members", name));
}

function showState(state) {
  document.querySelector("#state").textContent = state;
  note({ state });
}

async function sign(words) {
  const algorithm = { name: "HMAC", hash: "SHA-256" };
  const bytes = text.encode(settings.secret);
  const key = await crypto.subtle.importKey("raw", bytes, algorithm, false, ["sign"]);
  const digest = await crypto.subtle.sign("HMAC", key, text.encode(words));
  const hex = Array.from(new Uint8Array(digest), (byte) => byte.toString(16).padStart(2, "0"));
  return `${settings.key}:${hex.join("")}`;
}

async function sharedSecret(channel) {
  const bytes = text.encode(channel + "0123456789abcdef0123456789abcdef");
  const digest = new Uint8Array(await crypto.subtle.digest("SHA-256", bytes));
  return btoa(String.fromCharCode(...digest));
}

const channelAuthorization = {
  customHandler: async ({ socketId, channelName }, callback) => {
    const answer = {};
    let words = `${socketId}:${channelName}`;
    if (channelName.startsWith("presence-")) {
      const user = { user_id: settings.user, user_info: { name: settings.user } };
      answer.channel_data = JSON.stringify(user);
      words += `:${answer.channel_data}`;
    }
    if (channelName.startsWith("private-encrypted-")) {
      answer.shared_secret = await sharedSecret(channelName);
    }
    answer.auth = await sign(words);
    callback(null, answer);
  },
};

const userAuthentication = {
  customHandler: async ({ socketId }, callback) => {
    const data = JSON.stringify({ id: settings.user, user_info: { name: settings.user } });
    callback(null, { auth: await sign(`${socketId}::user::${data}`), user_data: data });
  },
};
