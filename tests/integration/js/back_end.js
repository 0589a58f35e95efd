"use strict";
// An application's back end: the official Node SDK, told what to do line by line.
// Argument: {"app_id", "key", "secret", "host", "port"}.

const Pusher = require("pusher");
const { obey } = require("./line_protocol.js");

/** The SDK for an application, which also signs what its clients ask for. */
function createBackEnd(app) {
  return new Pusher({
    appId: app.app_id,
    key: app.key,
    secret: app.secret,
    host: app.host,
    port: String(app.port),
    useTLS: false,
    encryptionMasterKeyBase64: Buffer.from("0123456789abcdef0123456789abcdef").toString("base64"),
  });
}

async function read(response) {
  return { status: response.status, body: await response.json() };
}

if (require.main === module) {
  const sdk = createBackEnd(JSON.parse(process.argv[2]));
  obey({
    trigger: async (...rest) => read(await sdk.trigger(...rest)),
    triggerBatch: async (batch) => read(await sdk.triggerBatch(batch)),
    sendToUser: async (...rest) => read(await sdk.sendToUser(...rest)),
    terminateUserConnections: async (id) => read(await sdk.terminateUserConnections(id)),
    get: async (path, params) => read(await sdk.get({ path, params })),
    post: async (path, body) => read(await sdk.post({ path, body: JSON.stringify(body) })),
  });
}

module.exports = { createBackEnd };
